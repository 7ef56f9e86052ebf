"""A client of the Lambda Runtime API."""

import _socket
import sys


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
