import platform


def handler(event, context):
    name = event.get("name", "world")
    print(f"greeting {name}")
    return {
        "message": f"hello, {name}",
        "from": f"Python {platform.python_version()}",
        "request": context.aws_request_id,
    }
