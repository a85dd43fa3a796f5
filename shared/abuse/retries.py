"""When to try again: one layer does, seldom, and never all at once.

A budget bounds what retries add to a provider's load: it is full while calls succeed, a failure costs ten times what a
success brings back, and below half nobody retries (gRPC's retry throttling, gRFC A6). It lives in the process, which
handles one call at a time; the breaker is what all processes share. Waits have full jitter.
"""

import secrets
import time
from collections.abc import Mapping

from shared.clock import Deadline

TOKENS = 100
FAILURE, SUCCESS = 10, 1
FIRST_SECONDS, LONGEST_SECONDS = 0.2, 2.0
THROTTLED_SECONDS = 10.0
LONGEST_ASKED = 3600.0


class RetryBudget:
    """Whether retries are still affordable."""

    def __init__(self) -> None:
        self._tokens = TOKENS

    def succeeded(self) -> None:
        """A call went well."""
        self._tokens = min(TOKENS, self._tokens + SUCCESS)

    def failed(self) -> bool:
        """A call failed; whether it may be tried again."""
        self._tokens = max(0, self._tokens - FAILURE)
        return self._tokens * 2 > TOKENS


def pause(attempt: int, deadline: Deadline, needed: float) -> bool:
    """Wait before the attempt after number `attempt` (from 0); False, at once, when less than `needed` seconds remain.

    Full jitter: anywhere between nothing and the longest wait, which doubles each time.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2**attempt)
    seconds = longest * secrets.randbelow(1001) / 1000
    if deadline.remaining() < seconds + needed:
        return False
    time.sleep(seconds)
    return True


def seconds_asked(headers: Mapping[str, str], status: int) -> float:
    """How long a provider that answered 429 asks everybody to wait; 0 for any other status.

    Retry-After in seconds (RFC 9110, 10.2.3); its form as a date, or none at all, counts as ten seconds.
    """
    if status != 429:
        return 0.0
    try:
        return min(LONGEST_ASKED, max(0.0, float(headers.get("retry-after", THROTTLED_SECONDS))))
    except ValueError:
        return THROTTLED_SECONDS
