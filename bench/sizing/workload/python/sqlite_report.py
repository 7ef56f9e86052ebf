"""Loads a table into SQLite and asks it for a report."""
import random, sqlite3

def handler(event, context):
    rng = random.Random(event["seed"])
    db = sqlite3.connect(":memory:")
    db.execute("create table sales (day integer, shop integer, cents integer)")
    db.executemany("insert into sales values (?, ?, ?)", ((i % 365, rng.randrange(40), rng.randrange(10000)) for i in range(event["size"])))
    db.execute("create index by_shop on sales (shop, day)")
    best = db.execute("select shop, sum(cents) s from sales group by shop order by s desc limit 3").fetchall()
    db.close()
    return {"best": best}
