"""HTTP/1.1 (RFC 9112) from the side of a client, as much of it as our own services speak: one request at a time.

http.client reads the head of an answer with the e-mail package, which was a fifth of a webhook's own work
(docs/decisions/0016). What is not framed as the RFC says is refused, never guessed.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

LONGEST_HEAD, LONGEST_LINE, LONGEST_NUMBER, AT_ONCE = 65_536, 1024, 15, 65_536
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: |$)")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}[ \t]*(?:;|$)")


class BadAnswer(Exception):
    """What came is no answer of HTTP/1.1, or not all of one."""


class TooLarge(Exception):
    """The body is longer than it may be."""


class Closed(ConnectionResetError):
    """The other side closed before it answered anything; the request may have arrived all the same."""


class Stale(Closed):
    """The connection was found closed, or spoken on unasked, before anything was sent."""


class Head(NamedTuple):
    """`headers` by their names in small letters; several of one name with commas between."""

    status: int
    headers: dict[str, str]
    is_last: bool


class Connection:
    """One connection, which an error closes. `is_open` says whether it can carry another request."""

    def __init__(self, url: str, seconds: float, tls: Callable[[], ssl.SSLContext]) -> None:
        """Raises OSError (TimeoutError among them) and ValueError for an address that is none."""
        parts = urlsplit(url)
        if parts.hostname is None:
            raise ValueError("the address names no host")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        self._host = parts.netloc
        self._socket = socket.create_connection((parts.hostname, port), timeout=seconds)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure:
                self._socket = tls().wrap_socket(self._socket, server_hostname=parts.hostname)
        except BaseException:
            self._socket.close()
            raise
        self._received = bytearray()
        self._is_new = self.is_open = True

    def close(self) -> None:
        """Close it; more than once is no harm."""
        self.is_open = False
        self._socket.close()

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, ends: float, most: int
    ) -> tuple[Head, bytes]:
        """Send one request, in one piece, and read its answer, of at most `most` bytes; all of it until `ends`.

        `ends` is a moment of time.monotonic(). Raises OSError (TimeoutError, Closed, Stale), BadAnswer, TooLarge.
        """
        try:
            request = _request(method, target, {"host": self._host, **headers}, body)
            self._expect_silence()
            self._allow_until(ends)
            self._socket.sendall(request)
            head = self._head(ends)
            while head.status < 200:
                head = self._head(ends)
            answer, is_framed = self._body(method, head, ends, most)
        except BaseException:
            self.close()
            raise
        if head.is_last or not is_framed or self._received:
            self.close()
        return head, answer

    def _expect_silence(self) -> None:
        """Who spoke unasked since the last answer would be taken for answering the next request; who hung up cannot."""
        is_new, self._is_new = self._is_new, False
        if is_new:
            return
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            pass  # broken otherwise
        raise Stale("the other side closed, or spoke unasked")

    def _head(self, ends: float) -> Head:
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if len(self._received) > LONGEST_HEAD:
                raise BadAnswer
            if not self._more(ends):
                raise BadAnswer if self._received else Closed("the other side closed")
        first, *lines = bytes(self._received[:end]).split(b"\r\n")
        del self._received[: end + 4]
        status = _STATUS.match(first)
        if status is None:
            raise BadAnswer
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or not name or name != name.strip():
                raise BadAnswer
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        last = "close" in headers.get("connection", "").lower() or status[1] == b"0"
        return Head(int(status[2]), headers, last)

    def _body(self, method: str, head: Head, ends: float, most: int) -> tuple[bytes, bool]:
        """The body (RFC 9112, 6.3), and whether its end was told rather than the connection's."""
        if method == "HEAD" or head.status in (204, 304):
            return b"", True
        coding, length = head.headers.get("transfer-encoding"), head.headers.get("content-length")
        if coding is not None:
            # Both at once is how one answer is smuggled behind another.
            if coding.lower() != "chunked" or length is not None:
                raise BadAnswer
            return self._chunks(ends, most), True
        if length is not None:
            if not (length.isascii() and length.isdigit()) or len(length) > LONGEST_NUMBER:
                raise BadAnswer
            return self._exactly(int(length), ends, most), True
        while len(self._received) <= most and self._more(ends):
            pass
        if len(self._received) > most:
            raise TooLarge
        return self._take(len(self._received)), False

    def _chunks(self, ends: float, most: int) -> bytes:
        body = bytearray()
        while size := self._size(ends):
            body += self._exactly(size, ends, most - len(body))
            if self._exactly(2, ends, 2) != b"\r\n":
                raise BadAnswer
        while self._line(ends):
            pass  # what follows the last chunk tells nothing that anybody asks for
        return bytes(body)

    def _size(self, ends: float) -> int:
        line = self._line(ends)
        if _SIZE.match(line) is None:
            raise BadAnswer
        return int(line.partition(b";")[0], 16)

    def _line(self, ends: float) -> bytes:
        while (end := self._received.find(b"\r\n")) < 0:
            if len(self._received) > LONGEST_LINE or not self._more(ends):
                raise BadAnswer
        line = self._take(end)
        del self._received[:2]
        return line

    def _exactly(self, count: int, ends: float, most: int) -> bytes:
        if count > most:
            raise TooLarge
        while len(self._received) < count:
            if not self._more(ends):
                raise BadAnswer
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _more(self, ends: float) -> bool:
        """Whether more has come; False at the end of the connection."""
        self._allow_until(ends)
        piece = self._socket.recv(AT_ONCE)
        self._received += piece
        return bool(piece)

    def _allow_until(self, ends: float) -> None:
        """Bound the next wait, so that a dribbling server cannot stretch it."""
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target or '/'} HTTP/1.1", "accept-encoding: identity", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\n".join(lines)
    is_target = target.isascii() and target.isprintable() and " " not in method + target
    if not is_target or head.count("\n") >= len(lines) or "\r" in head or "\0" in head:
        raise ValueError("a request would break in two")
    return f"{head}\n\n".replace("\n", "\r\n").encode("latin-1") + body
