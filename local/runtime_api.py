"""Lambda's Runtime API (version 2018-06-01) for one execution environment, on a port of its own.

The runtime in the environment's process asks for the next event and posts its answer. Here, events are put into
`events`, and what the runtime does comes out of `reports`.
"""

import contextlib
import re
import socket
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any, Literal

HOST = "127.0.0.1"
PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True)
class Event:
    """One event on its way to the runtime; the deadline is in milliseconds since the epoch."""

    request_id: str
    body: bytes
    deadline_ms: int
    function_arn: str
    trace_id: str


@dataclass(frozen=True)
class Report:
    """What the process did: asked for an event, answered, failed, could not start, or ended (body: the exit code)."""

    kind: Literal["ready", "response", "error", "init error", "exit"]
    body: bytes = b""


class RuntimeApi:
    """The API of one environment, served by threads until `stop`."""

    def __init__(self) -> None:
        self.events: SimpleQueue[Event | None] = SimpleQueue()
        self.reports: SimpleQueue[Report] = SimpleQueue()
        self.has_answered = False
        self.current_request_id: str | None = None
        self._stopped = False
        self._server = _Server((HOST, 0), type("Handler", (_Handler,), {"api": self}))
        self.address = f"{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._serve, name=f"runtime api {self.address}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and let go of a runtime that waits for an event."""
        if self._stopped:
            return
        self._stopped = True
        self.events.put(None)
        # The server sleeps until someone connects: this is what wakes it, unless the runtime has just done so.
        with contextlib.suppress(ConnectionError):
            socket.create_connection((HOST, self._server.server_port)).close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopped:
            self._server.handle_request()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A process that was killed cuts its connection, which is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}/invocation/next":
            self._answer(404)
            return
        self.api.reports.put(Report("ready"))
        event = self.api.events.get()
        if event is None:
            self.close_connection = True
            return
        self.api.current_request_id = event.request_id
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
            "Lambda-Runtime-Trace-Id": event.trace_id,
        }
        self._answer(200, event.body, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == f"{PREFIX}/init/error":
            self._report(Report("init error", body))
            return
        match = re.fullmatch(rf"{PREFIX}/invocation/([^/]+)/(response|error)", self.path)
        if match is None:
            self._answer(404)
        elif match[1] != self.api.current_request_id:
            self._answer(400, b'{"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}')
        else:
            self.api.current_request_id = None
            self.api.has_answered = True
            self._report(Report("response" if match[2] == "response" else "error", body))

    def _report(self, report: Report) -> None:
        """Put the report before the 202: the runtime waits for the 202 before it asks for the next event."""
        self.api.reports.put(report)
        self._answer(202, b'{"status": "OK"}')

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:
        """The API is silent: what the function prints is the log."""
