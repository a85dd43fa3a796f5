"""Opening a TCP or TLS connection within one deadline: name, addresses and handshake together."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

# Each address gets a share of the time, so that one that is dead does not use up all of it.
ADDRESSES_PER_FAMILY = 2
# A resolver that hangs holds a thread for each name. More names than these are not looked up until one is done.
MAX_LOOKUPS = 8

_Address = tuple[socket.AddressFamily, Any]


# openssl/ssl.h, SSL_OP_IGNORE_UNEXPECTED_EOF; the ssl module names it where OpenSSL has it.
IGNORE_UNEXPECTED_EOF = 1 << 7


class LookupsBusy(OSError):
    """Too many lookups of names hang."""


def open_socket(host: str, port: int, ends: float, tls: Callable[[], ssl.SSLContext] | None) -> socket.socket:
    """Return a connected socket, with a TLS handshake done if `tls` gives a context.

    `ends` is a moment of time.monotonic(). Raises OSError (TimeoutError, LookupsBusy, ssl.SSLError).
    """
    connected = _connect(_addresses(host, port, ends), ends)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return connected
        context = tls()
        # Some builds of Python set it, and a connection that was cut would look like one that ended.
        context.options &= ~IGNORE_UNEXPECTED_EOF
        # The time-out of a socket bounds the whole handshake, not each step of it.
        connected.settimeout(_remaining(ends))
        return context.wrap_socket(connected, server_hostname=host, suppress_ragged_eofs=False)
    except BaseException:
        connected.close()
        raise


def _connect(addresses: list[_Address], ends: float) -> socket.socket:
    failure = OSError("the name has no address")
    for index, (family, address) in enumerate(addresses):
        share = _remaining(ends) / (len(addresses) - index)
        try:
            attempt = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            failure = error
            continue
        try:
            attempt.settimeout(share)
            attempt.connect(address)
        except OSError as error:
            attempt.close()
            failure = error
        else:
            return attempt
    raise failure


def _addresses(host: str, port: int, ends: float) -> list[_Address]:
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return _lookup(host, port).result(_remaining(ends))
    return [(socket.AF_INET, (host, port))]


class _Lookup(threading.Thread):
    """One lookup of a name, in a thread because getaddrinfo cannot be interrupted."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True)
        self._key = host, port
        self._done = threading.Event()
        self._addresses: list[_Address] = []
        self._failure: Exception | None = None

    def run(self) -> None:
        """Look the name up, and keep a few addresses of each family."""
        try:
            found = socket.getaddrinfo(*self._key, type=socket.SOCK_STREAM)
            for wanted in dict.fromkeys(family for family, *_ in found):
                same = [(family, address) for family, _, _, _, address in found if family == wanted]
                self._addresses += same[:ADDRESSES_PER_FAMILY]
        except Exception as error:
            self._failure = error
        finally:
            _lookups.pop(self._key, None)
            self._done.set()

    def result(self, timeout_seconds: float) -> list[_Address]:
        """Return the addresses. Raises OSError (TimeoutError while the lookup goes on)."""
        if not self._done.wait(timeout_seconds):
            raise TimeoutError
        if self._failure is not None:
            # A UnicodeError, for a name that is none.
            raise self._failure if isinstance(self._failure, OSError) else OSError("the name cannot be looked up")
        return self._addresses


_lookups: dict[tuple[str, int], _Lookup] = {}
_lookups_lock = threading.Lock()


def _lookup(host: str, port: int) -> _Lookup:
    """Return the running lookup of a name, or start one."""
    with _lookups_lock:
        running = _lookups.get((host, port))
        if running is not None:
            return running
        if len(_lookups) >= MAX_LOOKUPS:
            raise LookupsBusy
        lookup = _lookups[host, port] = _Lookup(host, port)
        lookup.start()
        return lookup


def _remaining(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
