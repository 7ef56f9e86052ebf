"""Renders an invoice from a template."""
import html, random, string

PAGE = string.Template("<!doctype html><title>$title</title><table>$rows</table><p>Total $total")
ROW = string.Template("<tr><td>$name<td>$count<td>$price")

def handler(event, context):
    rng = random.Random(event["seed"])
    items = [("Part <%d> & more" % i, rng.randrange(1, 20), rng.randrange(100, 9999)) for i in range(event["size"])]
    rows = "".join(ROW.substitute(name=html.escape(name), count=count, price="%.2f" % (price / 100)) for name, count, price in items)
    page = PAGE.substitute(title="Invoice", rows=rows, total="%.2f" % (sum(c * p for _, c, p in items) / 100))
    return {"bytes": len(page)}
