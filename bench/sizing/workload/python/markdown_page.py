"""Turns Markdown into HTML."""
import html, random, re

RULES = [(re.compile(r"\*\*(.+?)\*\*"), r"<b>\1</b>"), (re.compile(r"`(.+?)`"), r"<code>\1</code>"), (re.compile(r"\[(.+?)\]\((.+?)\)"), r'<a href="\2">\1</a>')]

def render(line):
    line = html.escape(line, quote=False)
    for pattern, by in RULES:
        line = pattern.sub(by, line)
    if line.startswith("# "):
        return "<h1>" + line[2:] + "</h1>"
    return "<p>" + line

def handler(event, context):
    rng = random.Random(event["seed"])
    lines = [rng.choice(["# Title %d", "Some **bold** words and `code` %d", "A [link](https://example.com/%d) & more"]) % i for i in range(event["size"])]
    return {"bytes": len("\n".join(map(render, lines)))}
