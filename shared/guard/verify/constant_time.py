"""Comparing secrets without telling by the time it takes which one, or how much of one, was right."""

import hmac
from collections.abc import Iterable


def find_match(given: bytes, candidates: Iterable[bytes]) -> int | None:
    """The place of the candidate that `given` equals, or None. All are compared; an empty one never matches."""
    found = None
    for place, candidate in enumerate(candidates):
        if hmac.compare_digest(candidate, given) and candidate and found is None:
            found = place
    return found
