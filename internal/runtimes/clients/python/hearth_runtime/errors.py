"""The errors of the runtime itself, and what callers and logs get of an error."""

import os
import sys
import traceback

NBSP = "\u00a0"  # keeps a traceback's indentation where leading blanks are cut
OWN_FILES = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Fault(Exception):
    """An error the client itself found; kind is the errorType of the answer."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


def error_report(error, request_id=""):
    """The JSON object that callers get for an exception, as a dict."""
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace
    else:
        kind, message = type(error).__name__, str(error)
        frames = list(traceback.extract_tb(error.__traceback__))
        own = next((i for i, f in enumerate(frames) if not machinery(f.filename)), len(frames))
        trace = traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames[own:]])
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def machinery(filename):
    """Whether a frame at the bottom of a stack is ours and not the function's."""
    if filename.startswith(OWN_FILES):
        return True
    asyncio = sys.modules.get("asyncio")
    return bool(asyncio) and filename.startswith(os.path.dirname(asyncio.__file__) + os.sep)


def error_text(report):
    """The log entry of an error: one line, for logs that cut at line feeds."""
    lines = ["[ERROR]"]
    if report["errorType"]:
        lines[0] += " " + report["errorType"]
    if report["errorMessage"]:
        lines[0] += (": " if report["errorType"] else " ") + report["errorMessage"]
    lines.append("Traceback (most recent call last):")
    for element in report["stackTrace"]:
        for line in element.splitlines():
            text = line.lstrip(" ")
            lines.append(NBSP * (len(line) - len(text)) + text)
    return "\r".join(lines) + "\n"
