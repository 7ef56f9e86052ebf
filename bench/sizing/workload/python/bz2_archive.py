"""Packs text with bzip2."""
import bz2, random

WORDS = "the quick brown fox jumps over a lazy dog while nobody looks at it".split()

def handler(event, context):
    rng = random.Random(event["seed"])
    text = " ".join(rng.choices(WORDS, k=event["size"])).encode()
    return {"bytes": len(text), "packed": len(bz2.compress(text, 5))}
