"""Compares two versions of a text."""
import difflib, random

def handler(event, context):
    rng = random.Random(event["seed"])
    old = ["line %d" % rng.randrange(event["size"]) for _ in range(event["size"])]
    new = [line if rng.random() > 0.05 else line + " changed" for line in old]
    return {"lines": sum(1 for _ in difflib.unified_diff(old, new))}
