"""Compresses a log and checks that it can be read again."""
import gzip, random

def handler(event, context):
    rng = random.Random(event["seed"])
    log = b"".join(b"2026-11-27T%02d:%02d:%02dZ GET /items/%d 200 %d\n" % (i // 3600 % 24, i // 60 % 60, i % 60, rng.randrange(9999), rng.randrange(99999)) for i in range(event["size"]))
    packed = gzip.compress(log, 6)
    assert gzip.decompress(packed) == log
    return {"bytes": len(log), "packed": len(packed)}
