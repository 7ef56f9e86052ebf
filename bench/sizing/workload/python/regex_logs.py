"""Takes access logs apart with a regular expression and counts what it finds."""
import collections, random, re

LINE = re.compile(r'^(?P<ip>\d+\.\d+\.\d+\.\d+) - - \[(?P<time>[^]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) HTTP/\d\.\d" (?P<status>\d{3}) (?P<bytes>\d+)$', re.M)

def handler(event, context):
    rng = random.Random(event["seed"])
    log = "\n".join('10.0.%d.%d - - [27/Nov/2026:10:00:%02d +0000] "GET /p/%d HTTP/1.1" %d %d' % (
        rng.randrange(256), rng.randrange(256), i % 60, rng.randrange(500), rng.choice([200, 200, 200, 404, 500]), rng.randrange(5000)) for i in range(event["size"]))
    statuses = collections.Counter(match["status"] for match in LINE.finditer(log))
    return dict(statuses)
