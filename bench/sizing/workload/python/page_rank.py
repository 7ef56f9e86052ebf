"""Ranks the pages of a small web."""
import random

def handler(event, context):
    rng = random.Random(event["seed"])
    count = event["size"]
    links = [[rng.randrange(count) for _ in range(rng.randrange(1, 8))] for _ in range(count)]
    rank = [1 / count] * count
    for _ in range(8):
        following = [0.15 / count] * count
        for page, targets in enumerate(links):
            share = 0.85 * rank[page] / len(targets)
            for target in targets:
                following[target] += share
        rank = following
    return {"best": max(range(count), key=rank.__getitem__)}
