"""A proxy before an S3 server: it counts requests, and fails as it is told.

Signatures hold, since the name that the client called is handed on.
"""

import http.client
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

FORBIDDEN = 403
GONE = 404
CUT = "cut"
HANG = "hang"


class S3Proxy:
    """Listens on loopback; to be used in a `with`.

    `fault(method, target)` is asked for each request and says what to do: None to hand it on, a status,
    `CUT` for half of the body, `HANG` for no answer.
    """

    def __init__(self, endpoint):
        self.upstream = urlsplit(endpoint).netloc
        self.requests = []
        self.fault = lambda method, target: None
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self})
        )
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients that hang up
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        """From now on nobody listens."""
        self.released.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        target = unquote(self.path)
        self.proxy.requests.append((self.command, target))
        fault = self.proxy.fault(self.command, target)
        if self.proxy.released.is_set():  # closed, and this connection is an old one
            self.close_connection = True
        elif fault == HANG:
            self.proxy.released.wait()
            self.close_connection = True
        elif isinstance(fault, int):
            self._refuse(fault)
        else:
            self._hand_on(cut=fault == CUT)

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _refuse(self, status):
        code = {FORBIDDEN: "AccessDenied", GONE: "NoSuchKey"}[status]
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hand_on(self, *, cut):
        server = http.client.HTTPConnection(self.proxy.upstream, timeout=30)
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            server.putheader(name, value)
        server.endheaders()
        answer = server.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length", str(len(body))))
        self.end_headers()
        server.close()
        if cut:
            body, self.close_connection = body[: len(body) // 2], True
        with suppress(OSError):
            self.wfile.write(body)
