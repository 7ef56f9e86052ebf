"""Simulates a portfolio many times and sorts the outcomes."""
import random

def handler(event, context):
    rng = random.Random(event["seed"])
    outcomes = sorted(sum(rng.gauss(0.001, 0.02) for _ in range(12)) for _ in range(event["size"]))
    return {"value_at_risk": outcomes[len(outcomes) // 20]}
