"""HTTP/1.1 (RFC 9112) from the side of a client, as much of it as our own services speak: one request at a time.

http.client reads the head of an answer with the e-mail package, which was a fifth of a webhook's own work
(docs/decisions/0016). What is not framed as the RFC says is refused, never guessed.
"""

import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple

# Bytes of all heads of one answer together and of its trailers, of a chunk's first line, of a number.
LONGEST_HEAD, LONGEST_LINE, LONGEST_NUMBER, AT_ONCE = 65_536, 1024, 15, 65_536
# More lines would be joined for ever; more informational responses no service of ours sends.
MAX_HEADERS, MAX_INFORMATIONAL = 256, 8
_BROKEN_LINE = re.compile(rb"[\0\r\n]")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: |$)")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}[ \t]*(?:;|$)")


class BadAnswer(Exception):
    """What came is no answer of HTTP/1.1, or not all of one."""


class TooLarge(Exception):
    """The body is longer than it may be."""


class Encoded(Exception):
    """The body is compressed, although the request says that it must not be."""


class Closed(ConnectionResetError):
    """The other side closed before it answered anything; the request may have arrived all the same."""


class Stale(Closed):
    """The connection was found closed, or spoken on unasked, before anything was sent."""


class Head(NamedTuple):
    """`headers` by their names in small letters; several of one name with commas between."""

    status: int
    headers: dict[str, str]
    is_last: bool
    is_old: bool


class Connection:
    """One connection, which an error closes. `is_open` says whether it can carry another request."""

    def __init__(self, connected: socket.socket, host: str) -> None:
        """`host` is the header of this name."""
        self._socket, self._host = connected, host
        self._received = bytearray()
        self._is_new = self.is_open = True
        self._is_cut = False

    def close(self) -> None:
        """Close it; more than once is no harm."""
        self.is_open = False
        self._socket.close()

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, ends: float, most: int
    ) -> tuple[Head, bytes]:
        """Send one request, in one piece, and read its answer, of at most `most` bytes; all of it until `ends`.

        `ends` is a moment of time.monotonic(). Of an error (status 400 or above) a body that is too large or encoded is
        left out: its status tells enough. Raises OSError (TimeoutError, Closed, Stale), BadAnswer, TooLarge, Encoded,
        and ValueError for a request that cannot be sent.
        """
        try:
            request = _request(method, target, {"host": self._host, **headers}, body)
            self._expect_silence()
            self._send(request, ends)
            head = self._final_head(ends)
            try:
                answer, is_framed = self._body(method, head, ends, most)
            except (TooLarge, Encoded):
                if head.status < 400:
                    raise
                answer, is_framed = b"", False
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

    def _send(self, request: bytes, ends: float) -> None:
        """In pieces, because sendall over TLS would allow each of its pieces the whole time."""
        rest = memoryview(request)
        while rest:
            self._allow_until(ends)
            rest = rest[self._socket.send(rest) :]

    def _final_head(self, ends: float) -> Head:
        """The first head that is not informational (RFC 9110, 15.2)."""
        most = LONGEST_HEAD
        for _ in range(MAX_INFORMATIONAL + 1):
            head, size = self._head(ends, most)
            if head.status >= 200:
                return head
            most -= size
            if head.status == 101:
                break  # no upgrade was asked for
        raise BadAnswer

    def _head(self, ends: float, most: int) -> tuple[Head, int]:
        """One head of at most `most` bytes, and its size."""
        seen = 0
        while (end := self._received.find(b"\r\n\r\n", seen)) < 0:
            if len(self._received) > most:
                raise BadAnswer
            seen = max(0, len(self._received) - 3)
            if not self._more(ends):
                raise BadAnswer if self._received else Closed("the other side closed")
        if end > most:
            raise BadAnswer
        first, *lines = bytes(self._received[:end]).split(b"\r\n")
        del self._received[: end + 4]
        status = _STATUS.match(first)
        if status is None or len(lines) > MAX_HEADERS or any(map(_BROKEN_LINE.search, lines)):
            raise BadAnswer
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or not name or name != name.strip():
                raise BadAnswer
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        is_old = status[1] == b"0"
        last = is_old or "close" in headers.get("connection", "").lower()
        return Head(int(status[2]), headers, last, is_old), end + 4

    def _body(self, method: str, head: Head, ends: float, most: int) -> tuple[bytes, bool]:
        """The body (RFC 9112, 6.3), and whether its end was told rather than the connection's."""
        if method == "HEAD" or head.status in (204, 304):
            return b"", True
        if head.headers.get("content-encoding", "identity").lower() != "identity":
            raise Encoded
        coding, length = head.headers.get("transfer-encoding"), head.headers.get("content-length")
        if coding is not None:
            # Both at once is how one answer is smuggled behind another; HTTP/1.0 knows no chunks.
            if coding.lower() != "chunked" or length is not None or head.is_old:
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
        if self._is_cut:
            raise BadAnswer
        return self._take(len(self._received)), False

    def _chunks(self, ends: float, most: int) -> bytes:
        body = bytearray()
        while size := self._size(ends):
            body += self._exactly(size, ends, most - len(body))
            if self._exactly(2, ends, 2) != b"\r\n":
                raise BadAnswer
        most = LONGEST_HEAD
        while line := self._line(ends):
            # Trailers tell nothing that is asked for.
            most -= len(line)
            if most < 0:
                raise BadAnswer
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
        if end > LONGEST_LINE:
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
        try:
            piece = self._socket.recv(AT_ONCE)
        except ssl.SSLError as error:
            # Older releases of Python give the end of a cut connection no class of its own.
            if not isinstance(error, ssl.SSLEOFError) and error.reason != "UNEXPECTED_EOF_WHILE_READING":
                raise
            # Closed without TLS's own end. Whether all has come, only its framing can tell.
            self._is_cut, piece = True, b""
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
