"""Builds an index of documents whose number grows as the business does."""
import collections, random

WORDS = ["w%d" % i for i in range(2000)]

def handler(event, context):
    rng = random.Random(event["seed"])
    documents, index = [], collections.defaultdict(list)
    for document in range(event["size"]):
        words = rng.choices(WORDS, k=20)
        documents.append(" ".join(words) * 200)
        for word in set(words):
            index[word].append(document)
    return {"words": len(index), "bytes": sum(map(len, documents))}
