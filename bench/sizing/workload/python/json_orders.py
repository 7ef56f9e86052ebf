"""Parses a document of orders, totals them by customer, and answers JSON."""
import json, random

def handler(event, context):
    rng = random.Random(event["seed"])
    document = json.dumps([
        {"id": i, "customer": rng.randrange(50), "lines": [{"sku": "s%d" % rng.randrange(999), "cents": rng.randrange(9999)} for _ in range(4)]}
        for i in range(event["size"])
    ])
    totals = {}
    for order in json.loads(document):
        totals[order["customer"]] = totals.get(order["customer"], 0) + sum(line["cents"] for line in order["lines"])
    return {"bytes": len(document), "best": max(totals, key=totals.get)}
