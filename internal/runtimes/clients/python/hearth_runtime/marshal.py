"""JSON as AWS's client writes it."""

import json
import os
import sys


class Encoder(json.JSONEncoder):
    """JSON as awslambdaric writes it: decimal.Decimal as a number, bytes as text.

    The standard library's encoder takes nothing raw from default(), so decimals
    are written as marked strings and unwrapped at the end.
    """

    mark = "\ue000hearth-decimal\ue000"

    def __init__(self, **options):
        super().__init__(**options)
        self.decimals = 0
        quoted = json.encoder.JSONEncoder(ensure_ascii=self.ensure_ascii).encode(self.mark)
        self.opening, self.closing = quoted[:-1], quoted[1:]

    def default(self, value):
        if isinstance(value, bytes):
            return value.decode("utf-8")
        decimal = sys.modules.get("decimal")  # nobody imported it, nothing is one
        if decimal and isinstance(value, decimal.Decimal):
            if value.is_nan():
                return float("nan")
            self.decimals += 1
            return f"{self.mark}{value}{self.mark}"
        return super().default(value)

    def encode(self, value):
        self.decimals = 0
        text = super().encode(value)
        if self.decimals:
            text = text.replace(self.opening, "").replace(self.closing, "")
        return text


def encoder():
    # awslambdaric escapes non-ASCII characters for Python 3.11 and earlier only.
    version = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python3.")[2]
    return Encoder(ensure_ascii=version in ("8", "9", "10", "11"))
