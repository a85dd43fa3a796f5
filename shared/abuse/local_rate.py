"""A rate limit inside one process: the generic cell rate algorithm, with bounded memory.

Each execution environment counts for itself, so the limit is per environment; it protects a function that must stay
open when the shared store is away.
"""

import math
import socket
from collections import OrderedDict

KEYS_KEPT = 4096

_MAPPED = bytes(10) + b"\xff\xff"


def source_key(address: str) -> str:
    """Return the key by which a caller's address is limited: an IPv4 address whole, an IPv6 address by its /64.

    A network gives each subscriber a /64 at least (RFC 6177, section 2), so one caller has 2**64 addresses in it. An
    IPv4 address that is mapped into IPv6 (RFC 4291, 2.5.5.2) is the IPv4 address. All malformed texts share one key.
    """
    try:
        return socket.inet_pton(socket.AF_INET, address).hex()
    except (OSError, ValueError):
        pass
    try:
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return "malformed"
    return packed[12:].hex() if packed.startswith(_MAPPED) else packed[:8].hex()


class LocalRate:
    """`limit` calls per `seconds` for each key, all at once at most."""

    def __init__(self, limit: int, seconds: float) -> None:
        if limit < 1:
            raise ValueError("a rate admits at least one call")
        self._increment = seconds / limit
        self._burst = seconds
        self._arrival: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str, now: float) -> int:
        """Zero, and the call is counted; or the whole seconds to wait, and nothing is counted."""
        last = self._arrival.get(key, now)
        # Further ahead than a whole burst it can only be because the clock went back.
        arrival = (max(last, now) if last - now <= self._burst else now) + self._increment
        if arrival - now > self._burst + 1e-9:
            return max(1, math.ceil(arrival - now - self._burst))
        self._arrival[key] = arrival
        self._arrival.move_to_end(key)
        if len(self._arrival) > KEYS_KEPT:
            self._arrival.popitem(last=False)
        return 0

    def forget(self) -> None:
        """Begin anew, as a fresh environment does."""
        self._arrival.clear()
