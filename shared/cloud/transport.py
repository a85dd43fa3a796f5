"""The one way out: every HTTP call of an outside service, within one deadline, one size and one list of hosts.

Standard library only, one TLS context, kept connections: webhooks answer within seconds and start cold.
"""

import json
import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from shared.cloud.destinations import Destination, admitted
from shared.cloud.http1 import BadAnswer, Connection, Encoded, Stale, TooLarge
from shared.cloud.sockets import open_socket
from shared.errors import Unavailable
from shared.settings import Address

# Seconds for name, TCP and TLS together. A service that does not take a connection in this time will not answer either.
CONNECT_SECONDS = 1.0
# Bytes. For objects of a bucket, whose size we chose ourselves.
MAXIMUM_ANSWER = 8 * 1024 * 1024
# Connections. Media comes from many hosts, each used once.
MAX_KEPT = 8

_kept: dict[str, Connection] = {}


class NotSent(Unavailable):
    """A call of which nothing left this process: `upstream_connect_<reason>`, `upstream_foreign_address`, ..."""


class TooLargeAnswer(Unavailable):
    """A response that is longer than its caller takes: `upstream_answer_too_large`."""


class Answer(NamedTuple):
    """A complete response. `headers` by their names in small letters."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}

    def json(self) -> Any:
        """The body's JSON value. Raises ValueError."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None


@cache
def tls() -> ssl.SSLContext:
    """The one TLS context of the process: reading the trusted roots costs more than all of our own imports."""
    return ssl.create_default_context()


def forget() -> None:
    """Close the kept connections, as a new process has none. For tests."""
    while _kept:
        _kept.popitem()[1].close()


def send(
    destination: Destination,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    timeout_seconds: float,
    *,
    max_bytes: int,
    repeat: bool = True,
) -> Answer:
    """One request, and its response of at most `max_bytes`, within `timeout_seconds`. Redirects are not followed.

    A kept connection that the other side closed while idle is opened again, once. The first try may have arrived all
    the same, so what is sent here has to bear repetition: effects have keys, queues deduplicate, claims have fences.
    Without `repeat` the caller counts the tries itself; what was found closed before anything left is no try.
    Raises NotSent, or Unavailable (`upstream_<reason>`) if the request may have arrived.
    """
    ends = time.monotonic() + timeout_seconds
    address = admitted(destination, url)
    if address is None:
        raise NotSent("upstream_foreign_address")
    if timeout_seconds <= 0:
        raise NotSent("upstream_timeout")
    connection = _kept.pop(address.origin, None)
    if connection is not None:
        try:
            return _exchange(connection, address, method, headers, body, ends, max_bytes)
        except (BrokenPipeError, ConnectionResetError) as error:
            if not (repeat or isinstance(error, Stale)):
                raise _unavailable(error) from None
        except (OSError, BadAnswer) as error:
            raise _unavailable(error) from None
    connection = _connect(address, ends)
    try:
        return _exchange(connection, address, method, headers, body, ends, max_bytes)
    except (OSError, BadAnswer) as error:
        raise _unavailable(error) from None


def reason_of(problem: Unavailable) -> str:
    """The name of a problem of `send` without its first word, for callers that put their own in front."""
    return problem.name.removeprefix("upstream_")


def _unavailable(error: Exception) -> Unavailable:
    """The kind of an error, without anything that the other side said."""
    return Unavailable(f"upstream_{type(error).__name__}")


def _connect(address: Address, ends: float) -> Connection:
    try:
        connected = open_socket(
            address.host,
            address.port,
            min(ends, time.monotonic() + CONNECT_SECONDS),
            tls if address.scheme == "https" else None,
        )
    except OSError as error:
        raise NotSent(f"upstream_connect_{type(error).__name__}") from None
    return Connection(connected, address.netloc)


def _exchange(
    connection: Connection,
    address: Address,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    ends: float,
    max_bytes: int,
) -> Answer:
    try:
        head, received = connection.exchange(method, address.target, headers, body, ends, max_bytes)
    except TimeoutError:
        raise Unavailable("upstream_timeout") from None
    except TooLarge:
        raise TooLargeAnswer("upstream_answer_too_large") from None
    except Encoded:
        raise Unavailable("upstream_answer_encoded") from None
    except ValueError:
        raise NotSent("upstream_request_malformed") from None
    if connection.is_open:
        _keep(address.origin, connection)
    return Answer(head.status, received, head.headers)


def _keep(origin: str, connection: Connection) -> None:
    _kept[origin] = connection
    if len(_kept) > MAX_KEPT:
        oldest = next(iter(_kept))
        _kept.pop(oldest).close()
