"""The function's logging, in Lambda's formats."""

import json
import logging
import os
import sys
import time
import traceback

TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"

# The attributes of every log record; what else it has came from extra=.
STANDARD_ATTRIBUTES = set(vars(logging.makeLogRecord({}))) | {"aws_request_id", "tenant_id", "asctime", "message"}


class LogHandler(logging.Handler):
    """Writes to whatever sys.stdout is, as the function may have replaced it."""

    def __init__(self):
        super().__init__()
        self.aws_request_id = ""
        self.tenant_id = None

    def emit(self, record):
        record.aws_request_id = self.aws_request_id
        record.tenant_id = self.tenant_id
        sys.stdout.write(self.format(record))


class JSONFormatter(logging.Formatter):
    """One object a line, as with LoggingConfig.LogFormat=JSON."""

    def format(self, record):
        out = {
            "timestamp": "%s.%03dZ" % (time.strftime(TIME_FORMAT, time.gmtime(record.created)), record.msecs),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0]:
            kind, value, tb = record.exc_info
            out["stackTrace"] = traceback.format_tb(tb)
            out["errorType"] = kind.__name__
            out["errorMessage"] = str(value)
        if record.aws_request_id:
            out["requestId"] = record.aws_request_id
        if record.exc_info:
            out["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        if record.tenant_id is not None:
            out["tenantId"] = record.tenant_id
        for name, value in vars(record).items():
            if name not in STANDARD_ATTRIBUTES and name not in out and value is not None:
                out[name] = value
        return json.dumps(out, ensure_ascii=False) + "\n"


def install_logging():
    """Returns the handler, and whether the log's format is JSON."""
    handler = LogHandler()
    as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    logging.Formatter.converter = time.gmtime
    handler.setFormatter(JSONFormatter() if as_json else logging.Formatter(TEXT_FORMAT, TIME_FORMAT))
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    root = logging.getLogger()
    if level:
        level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level)
        if isinstance(logging.getLevelName(level), int):
            root.setLevel(level)
    root.addHandler(handler)
    return handler, as_json
