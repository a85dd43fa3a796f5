"""Comparing secrets without telling by the time it takes which one, or how much of one, was right."""

import hmac
from collections.abc import Iterable


def matches_any(given: bytes, candidates: Iterable[bytes]) -> bool:
    """Whether `given` equals a candidate. All are compared; an empty candidate never matches."""
    matched = False
    for candidate in candidates:
        matched |= bool(candidate) and hmac.compare_digest(candidate, given)
    return matched
