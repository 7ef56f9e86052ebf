"""Exports documents as a ZIP archive in /tmp."""
import os, random, tempfile, zipfile

def handler(event, context):
    rng = random.Random(event["seed"])
    with tempfile.TemporaryFile() as f:
        with zipfile.ZipFile(f, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(10):
                archive.writestr("document-%d.txt" % i, ("%x\n" % rng.getrandbits(64)) * (event["size"] // 10))
        return {"bytes": f.seek(0, os.SEEK_END)}
