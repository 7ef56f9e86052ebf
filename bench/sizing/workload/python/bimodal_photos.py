"""Turns photographs: small ones mostly, and now and then one from a good camera."""
import random

def handler(event, context):
    rng = random.Random(event["seed"])
    side = event["size"]
    photo = memoryview(rng.getrandbits(8 * side).to_bytes(side, "big") * (side * 3))
    rows = [photo[y * side * 3:(y + 1) * side * 3] for y in range(side)]
    turned = b"".join(bytes(row) for row in reversed(rows))
    return {"bytes": len(turned)}
