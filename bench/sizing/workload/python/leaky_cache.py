"""Keeps every answer that it ever gave: a leak."""
import random

CACHE = {}

def handler(event, context):
    rng = random.Random(event["seed"])
    CACHE[event["seed"]] = rng.getrandbits(8 * event["size"]).to_bytes(event["size"], "big")
    return {"kept": len(CACHE)}
