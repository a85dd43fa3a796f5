"""An HTTP proxy that loses, delays, doubles and spoils what goes through it, as it is told for each request.

For clients that must bear this: what arrived at the other side is counted, whatever the client was told.
"""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FAULTS = (
    "pass", "lose the request", "lose the reply", "deliver twice", "stall", "html 502", "quota", "unknown script",
    "garbage", "unauthorized", "close",
)  # fmt: skip
QUOTA = b'{"error": "ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}'
UNKNOWN = b'{"error": "NOSCRIPT No matching script. Please use EVAL."}'


class Proxy:
    """`faults` are used up one a request, then everything passes. `delivered`: bodies that reached the other side."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.url = ""
        self.faults: list[str] = []
        self.delivered: list[bytes] = []
        self.asked = 0
        self.kept: list[bytes] = []
        self.released = threading.Event()

    def forward(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """The other side's answer."""
        self.delivered.append(body)
        connection = http.client.HTTPConnection(self.upstream, timeout=10)
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextmanager
def proxy_to(upstream: str) -> Iterator[Proxy]:
    """A proxy in front of `upstream`, until the block ends."""
    proxy = Proxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {"authorization": self.headers["authorization"], "content-type": "application/json"}
            fault = proxy.faults.pop(0) if proxy.faults else "pass"
            assert fault in FAULTS
            proxy.asked += 1
            if fault == "stall":
                proxy.released.wait(10)
            if fault in ("lose the request", "close", "stall"):
                self._hang_up()
                return
            canned = {
                "html 502": (502, b"<html>Bad gateway</html>"),
                "quota": (400, QUOTA),
                "unknown script": (400, UNKNOWN),
                "garbage": (200, b'{"resu'),
                "unauthorized": (401, b'{"error": "WRONGPASS"}'),
            }
            status, answer = canned[fault] if fault in canned else proxy.forward(body, headers)
            if fault == "deliver twice":
                proxy.forward(body, headers)
            if fault == "lose the reply":
                self._hang_up()
                return
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        server.server_close()
