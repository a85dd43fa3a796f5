"""A thin HTTP client for the hot path: standard library, one TLS context, kept connections, every wait bounded.

Webhooks answer within seconds and start cold; a full client library would cost more than their whole work. Functions
that talk to models and files use httpx instead.
"""

import ssl
import time
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from shared.cloud.http1 import BadAnswer, Connection, Stale, TooLarge
from shared.errors import Unavailable

CONNECT_SECONDS = 0.5
MAXIMUM_ANSWER = 8 * 1024 * 1024

_kept: dict[tuple[str, str], Connection] = {}


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
    Without `repeat` the caller counts the tries itself; what was found closed before anything left is no try.
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
        except (BrokenPipeError, ConnectionResetError) as error:
            if not (repeat or isinstance(error, Stale)):
                raise Unavailable(f"upstream_{type(error).__name__}") from None
        except (OSError, BadAnswer) as error:
            raise Unavailable(f"upstream_{type(error).__name__}") from None
    connection = _connect(place, min(CONNECT_SECONDS, seconds))
    try:
        return _exchange(connection, place, method, target, headers, body, ends, most)
    except (OSError, BadAnswer) as error:
        raise Unavailable(f"upstream_{type(error).__name__}") from None


def _connect(place: tuple[str, str], seconds: float) -> Connection:
    scheme, netloc = place
    try:
        return Connection(f"{scheme}://{netloc}", seconds, tls)
    except OSError as error:
        raise Unavailable(f"upstream_connect_{type(error).__name__}") from None


def _exchange(
    connection: Connection,
    place: tuple[str, str],
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes,
    ends: float,
    most: int,
) -> Answer:
    try:
        head, received = connection.exchange(method, target, headers, body, ends, most)
    except TimeoutError:
        raise Unavailable("upstream_timeout") from None
    except TooLarge:
        raise Unavailable("upstream_answer_too_large") from None
    if connection.is_open:
        _kept[place] = connection
    return Answer(head.status, received, head.headers.get("date", ""))
