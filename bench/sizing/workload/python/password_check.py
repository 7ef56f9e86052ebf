"""Checks a password: nothing but arithmetic."""
import hashlib

def handler(event, context):
    key = hashlib.pbkdf2_hmac("sha256", b"correct horse", event["seed"].to_bytes(8, "big"), event["size"])
    return {"key": key.hex()}
