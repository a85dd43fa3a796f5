"""A thin HTTP client for the hot path: standard library, one TLS context, kept connections, every wait bounded.

Webhooks answer within seconds and start cold; a full client library would cost more than their whole work. Functions
that talk to models and files use httpx instead.
"""

import http.client
import ssl
import time
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from shared.errors import Unavailable

CONNECT_SECONDS = 0.5
MAXIMUM_ANSWER = 8 * 1024 * 1024


class _Connection(http.client.HTTPConnection):
    """Sends a request's head and body in one piece: one call of the kernel and one TLS record, not two of each."""

    def send_whole(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self._pieces: list[bytes] = []
        self.request(method, target, body=body, headers=headers)
        self.sock.sendall(b"".join(self._pieces))

    def send(self, data: Any) -> None:
        """What http.client would send at once."""
        self._pieces.append(data)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


_kept: dict[tuple[str, str], _Connection] = {}


class Answer(NamedTuple):
    """What came back. `body` is complete; `date` is the header of this name, as the other side's clock has it."""

    status: int
    body: bytes
    date: str = ""


@cache
def tls() -> ssl.SSLContext:
    """The one TLS context of the process: reading the trusted roots costs more than all of our own imports."""
    return ssl.create_default_context()


def forget() -> None:
    """Close the kept connections, as a new process has none. For tests."""
    while _kept:
        _kept.popitem()[1].close()


def send(
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    seconds: float,
    *,
    repeat: bool = True,
    most: int = MAXIMUM_ANSWER,
) -> Answer:
    """One request, one answer of at most so many bytes, within `seconds`.

    A kept connection that the other side closed while idle is opened again, once. The first try may have arrived all
    the same, so what is sent here has to bear repetition: effects have keys, queues deduplicate, claims have fences.
    Without `repeat` the caller counts the tries itself.
    Raises Unavailable (`upstream_<reason>`) when there is no complete answer in time.
    """
    parts = urlsplit(url)
    place = (parts.scheme, parts.netloc)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    ends = time.monotonic() + seconds
    connection = _kept.pop(place, None)
    if connection is not None:
        try:
            return _exchange(connection, place, method, target, headers, body, ends, most)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            connection.close()
            if not repeat:
                raise Unavailable(f"upstream_{type(error).__name__}") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"upstream_{type(error).__name__}") from None
    connection = _connect(place, min(CONNECT_SECONDS, seconds))
    try:
        return _exchange(connection, place, method, target, headers, body, ends, most)
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unavailable(f"upstream_{type(error).__name__}") from None


def _connect(place: tuple[str, str], seconds: float) -> _Connection:
    scheme, netloc = place
    if scheme == "https":
        connection: _Connection = _SecureConnection(netloc, timeout=seconds, context=tls())
    else:
        connection = _Connection(netloc, timeout=seconds)
    try:
        connection.connect()
    except OSError as error:
        raise Unavailable(f"upstream_connect_{type(error).__name__}") from None
    return connection


def _exchange(
    connection: _Connection,
    place: tuple[str, str],
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes,
    ends: float,
    most: int,
) -> Answer:
    _allow_until(connection, ends)
    try:
        connection.send_whole(method, target, headers, body)
        response = connection.getresponse()
        received = bytearray()
        while chunk := response.read1(65536):
            received += chunk
            if len(received) > most:
                connection.close()
                raise Unavailable("upstream_answer_too_large")
            _allow_until(connection, ends)
        # Reading in pieces leaves the end unnoticed, and the connection could not be used again.
        response.close()
    except TimeoutError:
        connection.close()
        raise Unavailable("upstream_timeout") from None
    if response.will_close:
        connection.close()
    else:
        _kept[place] = connection
    return Answer(response.status, bytes(received), response.headers.get("date", ""))


def _allow_until(connection: _Connection, ends: float) -> None:
    """Bound the next wait on the socket by the deadline, so that a dribbling server cannot stretch it."""
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if connection.sock is not None:
        connection.sock.settimeout(left)
