"""Draws a chart into an image and encodes it as PNG."""
import math, random, struct, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

def handler(event, context):
    rng = random.Random(event["seed"])
    width, height = event["size"], event["size"] // 2
    pixels = bytearray(b"\xff" * (width * height * 3))
    phase = rng.random()
    for x in range(width):
        y = int((math.sin(x / width * 12 + phase) + 1) / 2.1 * height)
        for dy in range(min(4, height - y)):
            at = ((y + dy) * width + x) * 3
            pixels[at:at + 3] = b"\x20\x40\xc0"
    rows = b"".join(b"\0" + pixels[y * width * 3:(y + 1) * width * 3] for y in range(height))
    png = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
           + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b""))
    return {"bytes": len(png)}
