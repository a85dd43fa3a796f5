"""Servers that do what no service should: each takes raw connections on the loopback and answers as it is told."""

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

Behave = Callable[[socket.socket, threading.Event], None]

OK = b"HTTP/1.1 200 OK\r\n"


class Server:
    """Accepts connections and does with each what it is told; counts them."""

    def __init__(self, behave: Behave) -> None:
        self.connections = 0
        self.end = threading.Event()
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/x"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.end.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._behave(connection, self.end)
            except OSError:
                return

    def close(self) -> None:
        """Take no more connections, and end those that wait."""
        self.end.set()
        self._listener.close()


def _says(*pieces: bytes) -> Behave:
    """Answers each request with the pieces."""

    def behave(connection: socket.socket, end: threading.Event) -> None:
        while connection.recv(65536):
            for piece in pieces:
                connection.sendall(piece)

    return behave


def _says_and_closes(said: bytes) -> Behave:
    def behave(connection: socket.socket, end: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        end.wait(5)

    return behave


def _repeats(first: bytes, piece: bytes, pause_seconds: float = 0.0) -> Behave:
    """Says `first`, then `piece` without an end."""

    def behave(connection: socket.socket, end: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(first)
        while not end.wait(pause_seconds):
            connection.sendall(piece)

    return behave


def silent(connection: socket.socket, end: threading.Event) -> None:
    """Takes the connection and says nothing: over TLS, a handshake that hangs."""
    end.wait(5)


def deaf(connection: socket.socket, end: threading.Event) -> None:
    """Closes without an answer."""
    connection.recv(65536)


# Ten megabytes of JSON in ten kilobytes.
BOMB = gzip.compress(b'{"x": "' + b"0" * 10_000_000 + b'"}')

# By what is wrong with each. An answer that is not in time, or not an answer.
HOSTILE: dict[str, Behave] = {
    "silence": silent,
    "no answer": deaf,
    "dribbled head": _repeats(OK, b"x", 0.02),
    "dribbled headers": _repeats(OK, b"x: 1\r\n", 0.02),
    "dribbled body": _repeats(OK + b"Content-Length: 1000\r\n\r\n", b" ", 0.02),
    "dribbled chunks": _repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.02),
    "dribbled informational responses": _repeats(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.2),
    "endless headers": _repeats(OK, b"x: " + b"x" * 1000 + b"\r\n"),
    "endless line of a header": _repeats(OK + b"x: ", b"x" * 1000),
    "informational flood": _repeats(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "endless body with a length": _repeats(OK + b"Content-Length: 99999999999\r\n\r\n", b"x" * 100_000),
    "endless body without a length": _repeats(OK + b"\r\n", b"x" * 100_000),
    "endless chunks": _repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
    "endless line of a chunk": _repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000),
    "endless trailers": _repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: 1\r\n" * 100),
    "gzip bomb": _says(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB),
    "half-closed in the head": _says_and_closes(OK + b"Content-Len"),
    "half-closed in the body": _says_and_closes(OK + b"Content-Length: 10\r\n\r\n{}"),
    "half-closed in a chunk": _says_and_closes(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"),
    "two lengths": _says(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "length and chunks": _says(OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "negative length": _says(OK + b"Content-Length: -2\r\n\r\n{}"),
    "chunk longer than it says": _says(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"),
    "chunk of no number": _says(OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n"),
    "chunk of many gigabytes": _repeats(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", b"x" * 100_000),
    "upgrade": _says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "no HTTP": _says(b"220 smtp.example ESMTP\r\n\r\n"),
}

# Answers that are not JSON. What comes behind an answer's length answers nothing (test_http1.py).
NO_JSON: dict[str, Behave] = {
    "longer than its length": _repeats(OK + b"Content-Length: 1\r\n\r\n{}", b"x" * 1000),
    "nested too deeply": _says(OK + b"Content-Length: 20000\r\n\r\n", b"[" * 20_000),
    "no JSON": _says(OK + b"Content-Length: 5\r\n\r\nhello"),
    "no UTF-8": _says(OK + b'Content-Length: 5\r\n\r\n"\xff\xfe\xfd"'),
}


def dribbling_tls(certificate_file: str) -> Behave:
    """A TLS handshake that comes byte by byte: each read of the client is in time, the whole is not."""

    def behave(connection: socket.socket, end: threading.Event) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(65536))
        with suppress(ssl.SSLWantReadError):
            secured.do_handshake()
        for byte in outgoing.read():
            if end.wait(0.02):
                return
            connection.sendall(bytes([byte]))

    return behave


@contextmanager
def full_backlogs(count: int) -> Iterator[list[tuple[str, int]]]:
    """Addresses of the loopback where a connection is neither taken nor refused."""
    with ExitStack() as stack:
        addresses = []
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            addresses.append(listener.getsockname())
        yield addresses


def resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[tuple[str, int]]) -> None:
    """Every name has these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: found)
