"""Sorts a file that is written in runs to /tmp, and merges the runs."""
import heapq, os, random, tempfile

def handler(event, context):
    rng = random.Random(event["seed"])
    with tempfile.TemporaryDirectory() as directory:
        runs = []
        for i in range(4):
            path = os.path.join(directory, str(i))
            with open(path, "w") as f:
                f.writelines("%012d\n" % n for n in sorted(rng.randrange(10**12) for _ in range(event["size"] // 4)))
            runs.append(open(path))
        merged = os.path.join(directory, "merged")
        with open(merged, "w") as f:
            f.writelines(heapq.merge(*runs))
        for run in runs:
            run.close()
        return {"bytes": os.path.getsize(merged)}
