"""Finds shortest routes in a road network (Dijkstra)."""
import heapq, random

def handler(event, context):
    rng = random.Random(event["seed"])
    count = event["size"]
    roads = [[(rng.randrange(count), rng.randrange(1, 100)) for _ in range(4)] for _ in range(count)]
    distance, queue = {0: 0}, [(0, 0)]
    while queue:
        d, town = heapq.heappop(queue)
        if d > distance[town]:
            continue
        for other, length in roads[town]:
            if d + length < distance.get(other, 1 << 60):
                distance[other] = d + length
                heapq.heappush(queue, (d + length, other))
    return {"reached": len(distance), "farthest": max(distance.values())}
