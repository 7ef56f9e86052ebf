"""Hearth's runtime client for Python 3.8 and later.

The interpreter boots before anybody knows which function it will run: main()
loads what every function needs and waits for the start message on the control
descriptor. Then it takes over the function's environment, imports the handler
and serves invocations from the Runtime API until the environment is ended.

What functions and callers see (messages, shapes of errors, log lines, the
context object) is that of AWS's own client, awslambdaric. The differences are
meant: coroutine functions are accepted as handlers, and named tuples in a
response become arrays.

Imports here are paid by every pre-booted environment, in memory: the HTTP
client is thirty lines over _socket because socket and http.client alone would
add half as much again.
"""

import _socket
import gc
import importlib
import json
import logging
import os
import site
import sys
import time
import traceback

NBSP = "\u00a0"  # keeps a traceback's indentation where leading blanks are cut
OWN_FILES = (os.path.dirname(os.path.abspath(__file__)) + os.sep,)


class Fault(Exception):
    """An error the client itself found; kind is the errorType of the answer."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


# -- Start: from a bare interpreter to a function's process ------------------


def main():
    own_path = prepare()
    descriptor = os.environ.pop("HEARTH_CONTROL_FD", None)
    if descriptor is not None:
        argv, env = read_start_message(int(descriptor))
        if argv:
            replace_process(argv, env)
        adopt_environment(env)
    enter_task_root(own_path)
    Server(RuntimeAPI(os.environ["AWS_LAMBDA_RUNTIME_API"])).run(os.environ.get("_HANDLER", ""))


def prepare():
    """Does what needs no function. Returns the interpreter's own sys.path."""
    # The interpreter starts without the site module (-S). What programs expect
    # of it are exit() and its kin, and installed packages at the end of the path.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    own_path = [p for p in sys.path if p and p + os.sep not in OWN_FILES]
    own_path += [p for p in site.getsitepackages() if os.path.isdir(p)]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    # What every start will run, once before anybody waits for it: the compiler
    # and the encoder are page faults the first time.
    exec(compile("import os\ndef handler(event, context):\n    return {'warm': event}\n", "warm.py", "exec"), {})
    json.loads(encoder().encode({"warm": [1.5, None, True, "up"]}))
    gc.collect()
    gc.freeze()
    return own_path


def read_start_message(descriptor):
    """Waits for the start message and returns its (argv, env)."""

    def read(n):
        data = b""
        while len(data) < n:
            piece = os.read(descriptor, n - len(data))
            if not piece:
                os._exit(0)  # the node let go of this environment
            data += piece
        return data

    strings = read(int.from_bytes(read(4), "little")).split(b"\0")
    os.close(descriptor)
    argc = int(strings[0])
    return strings[1 : 1 + argc], [s for s in strings[1 + argc :] if s]


def replace_process(argv, env):
    environment = dict(s.split(b"=", 1) for s in env)
    try:
        os.chdir(environment.get(b"LAMBDA_TASK_ROOT", b"."))
        os.execve(argv[0], argv, environment)
    except OSError as e:
        print(f"{os.fsdecode(argv[0])}: {e.strerror}", file=sys.stderr)
        os._exit(127 if isinstance(e, FileNotFoundError) else 126)


def adopt_environment(env):
    os.environ.clear()
    for entry in env:
        name, _, value = entry.partition(b"=")
        os.environ[os.fsdecode(name)] = os.fsdecode(value)
    time.tzset()


def enter_task_root(own_path):
    """Makes the task root the working directory and puts sys.path together:
    the code, layers, what the function asked for, then the interpreter's own."""
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    versions = ["python%d.%d" % sys.version_info[:2]]
    wanted = os.environ.get("AWS_EXECUTION_ENV", "").replace("AWS_Lambda_", "")
    if wanted.startswith("python3.") and wanted not in versions:
        versions.append(wanted)  # layers are built for the version asked for
    path = [root]
    path += ["/opt/python/lib/%s/site-packages" % v for v in versions]
    path += ["/opt/python"]
    path += [p for p in os.environ.get("PYTHONPATH", "").split(":") if p and p != os.environ.get("LAMBDA_RUNTIME_DIR")]
    path += own_path
    sys.path[:] = list(dict.fromkeys(path))
    sys.path_importer_cache.clear()  # the mounts appeared after the boot
    os.chdir(root)


# -- The handler -------------------------------------------------------------


def load_handler(name):
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {e}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {e}")
    except SyntaxError as e:
        trace = ['  File "%s" Line %s\n    %s' % (e.filename, e.lineno, e.text)]
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {e}", trace)
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")


# -- JSON --------------------------------------------------------------------


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


# -- Context -----------------------------------------------------------------


class Record:
    """An object with the attributes named in __slots__, None where unknown."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        return "%s([%s])" % (type(self).__name__, ",".join(f"{n}={getattr(self, n)}" for n in self.__slots__))


class CognitoIdentity(Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Record):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Record):
    __slots__ = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        if self.client is not None:
            self.client = Client(self.client)


class LambdaContext:
    def __init__(self, invocation):
        env = os.environ.get
        self.aws_request_id = invocation.get("lambda-runtime-aws-request-id")
        self.log_group_name = env("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = env("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = env("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = invocation.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = invocation.get("lambda-runtime-aws-tenant-id")
        client = header_json(invocation, "lambda-runtime-client-context", "Client Context")
        self.client_context = None if client is None else ClientContext(client)
        identity = header_json(invocation, "lambda-runtime-cognito-identity", "Cognito Identity") or {}
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": identity.get("cognitoIdentityId"),
                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
            }
        )
        self._epoch_deadline_time_in_ms = int(invocation.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return (
            f"LambdaContext([aws_request_id={self.aws_request_id},log_group_name={self.log_group_name},"
            f"log_stream_name={self.log_stream_name},function_name={self.function_name},"
            f"memory_limit_in_mb={self.memory_limit_in_mb},function_version={self.function_version},"
            f"invoked_function_arn={self.invoked_function_arn},client_context={self.client_context},"
            f"identity={self.identity},tenant_id={self.tenant_id}])"
        )


def header_json(invocation, header, name):
    text = invocation.get(header)
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as e:
        raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {e}")


# -- Logging -----------------------------------------------------------------

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


# -- Errors ------------------------------------------------------------------


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


# -- Serving -----------------------------------------------------------------


class Server:
    def __init__(self, api):
        self.api = api
        self.encoder = encoder()
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

    def invoke(self, handler, invocation, body):
        context = LambdaContext(invocation)
        if invocation.get("content-type", "application/json") == "application/json":
            try:
                event = json.loads(body)
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


# -- The Runtime API ---------------------------------------------------------


class RuntimeAPI:
    """A client of the Lambda Runtime API on one persistent connection.

    An answer is followed by the request for the next invocation in the same
    segment (HTTP pipelining), which saves both sides a wake-up per invocation.
    """

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host.strip("[]"), int(port))
        common = "Host: %s\r\nUser-Agent: hearth-python/%d.%d.%d\r\n" % ((address,) + sys.version_info[:3])
        self.common = common.encode("ascii")
        self.ask = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n" + self.common + b"\r\n"
        self.asked = False  # the request for the next invocation is on its way
        self.socket = None
        self.rest = b""  # received and not yet used

    def next(self):
        """Waits for an invocation; returns its headers, lower-cased, and body."""
        while True:
            try:
                if not self.asked:
                    self.send(self.ask)
                status, headers, body = self.receive()
            except OSError:
                if not self.asked:
                    raise
                self.close()  # an answer before may have cost the connection
                continue
            self.asked = False
            if status != 200:
                raise RuntimeError(f"the Runtime API answered {status}: {body!r}")
            return headers, body

    def response(self, request_id, content_type, body):
        self.post(f"invocation/{request_id}/response", f"Content-Type: {content_type}\r\n", body, self.ask)

    def error(self, request_id, body, kind):
        self.post(f"invocation/{request_id}/error", error_headers(kind), body, self.ask)

    def init_error(self, body, kind):
        self.post("init/error", error_headers(kind), body, b"")

    def post(self, path, headers, body, following):
        head = f"POST /2018-06-01/runtime/{path} HTTP/1.1\r\n{headers}Content-Length: {len(body)}\r\n"
        try:
            self.send(head.encode("ascii") + self.common + b"\r\n" + body + following)
            self.asked = bool(following)
            # A refusal (too large, not in turn) is the node's to act upon; the
            # function goes on with the next invocation.
            self.receive()
        except OSError:
            self.close()

    def send(self, data):
        if self.socket is None:
            self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            self.socket.connect(self.address)
            self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.socket.sendall(data)

    def close(self):
        self.asked = False
        self.rest = b""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def receive(self):
        """Reads one HTTP response: (status, headers, body)."""
        head = self.read_until(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if "content-length" in headers:
            body = self.read_exactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            body = self.read_chunks()
        else:
            body = b""
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(lines[0].split(" ", 2)[1]), headers, body

    def read_more(self):
        data = self.socket.recv(65536) if self.socket else b""
        if not data:
            raise ConnectionResetError("the Runtime API closed the connection")
        return data

    def read_until(self, end):
        data = self.rest
        while end not in data:
            data += self.read_more()
        before, _, self.rest = data.partition(end)
        return before

    def read_exactly(self, n):
        data = self.rest
        if len(data) < n:
            buffer = bytearray(n)
            have = len(data)
            buffer[:have] = data
            view = memoryview(buffer)
            while have < n:
                got = self.socket.recv_into(view[have:])
                if not got:
                    raise ConnectionResetError("the Runtime API closed the connection")
                have += got
            data = bytes(buffer)
        self.rest = data[n:]
        return data[:n]

    def read_chunks(self):
        body = b""
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self.read_until(b"\r\n"):
                    pass  # trailers
                return body
            body += self.read_exactly(size)
            self.read_exactly(2)


def error_headers(kind):
    kind = kind.encode("ascii", "replace").decode("ascii")
    return f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {kind}\r\n"
