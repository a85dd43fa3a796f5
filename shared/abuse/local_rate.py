"""A rate limit inside one process: the generic cell rate algorithm, with bounded memory.

Each execution environment counts for itself, so the limit is per environment; it protects a function that must stay
open when the shared store is away.
"""

import math
from collections import OrderedDict

KEYS_KEPT = 4096


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
