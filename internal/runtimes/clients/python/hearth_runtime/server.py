"""The life of invocations: from the Runtime API to the handler and back."""

import json
import os
import sys
import time

from .context import LambdaContext, function_members
from .errors import Fault, error_report, error_text
from .handler import load_handler
from .logs import TIME_FORMAT, install_logging
from .marshal import encoder


class Server:
    def __init__(self, api):
        self.api = api
        self.encoder = encoder()
        self.function = function_members()
        self.loop = None
        self.log, self.log_json = install_logging()

    def run(self, handler_name):
        try:
            handler = load_handler(handler_name)
        except Exception as e:
            report = error_report(e)
            self.log_error(report)
            self.api.init_error(self.marshal(report), report["errorType"])
            sys.exit(1)
        while True:
            invocation, body = self.api.next()
            request_id = invocation["lambda-runtime-aws-request-id"]
            self.log.aws_request_id = request_id
            self.log.tenant_id = invocation.get("lambda-runtime-aws-tenant-id")
            set_trace_id(invocation.get("lambda-runtime-trace-id"))
            memory = invocation.get("lambda-runtime-hearth-memory")
            if memory:
                self.resized(memory)
            try:
                content_type, answer = self.invoke(handler, invocation, body)
            except Exception as e:
                report = error_report(e, request_id)
                self.log_error(report)
                flush()
                self.api.error(request_id, self.marshal(report), report["errorType"])
            else:
                flush()
                self.api.response(request_id, content_type, answer)
            invocation = body = answer = report = None  # not to be held while waiting

    def resized(self, memory):
        """The environment has another amount of memory than before, in MB."""
        os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = memory
        self.function["memory_limit_in_mb"] = memory

    def invoke(self, handler, invocation, body):
        context = LambdaContext(self.function, invocation)
        if invocation.get("content-type", "application/json") == "application/json":
            try:
                event = json.loads(body.decode("utf-8"))
            except ValueError as e:
                raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {e}")
        else:
            event = body
        result = handler(event, context)
        if hasattr(result, "cr_await"):
            result = self.wait(result)
        if isinstance(result, bytes):
            return "application/unknown", result
        try:
            return "application/json", self.marshal(result)
        except Exception as e:
            raise Fault("Runtime.MarshalError", f"Unable to marshal response: {e}")

    def wait(self, coroutine):
        """Runs a coroutine handler. All invocations share one event loop, so that
        clients made in one invocation can be used in the next."""
        import asyncio

        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(coroutine)

    def marshal(self, value):
        return self.encoder.encode(value).encode("utf-8")

    def log_error(self, report):
        if self.log_json:
            stamp = time.strftime(TIME_FORMAT + "Z", time.gmtime())
            sys.stdout.write(self.encoder.encode({"timestamp": stamp, "level": "ERROR", **report}) + "\n")
        else:
            sys.stdout.write(error_text(report))


def set_trace_id(trace_id):
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def flush():
    """What a function printed must be in its log before its answer is sent."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # replaced or closed by the function
