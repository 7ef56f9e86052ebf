"""Multiplies matrices, as a forecast does."""
import random

def handler(event, context):
    rng = random.Random(event["seed"])
    n = event["size"]
    a, b = ([[rng.random() for _ in range(n)] for _ in range(n)] for _ in range(2))
    columns = list(zip(*b))
    product = [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]
    return {"trace": sum(product[i][i] for i in range(n))}
