"""The RateLimit and RateLimit-Policy header fields: what a caller may still do, and until when.

draft-ietf-httpapi-ratelimit-headers-11 (May 2026), as Lists of Strings with parameters (RFC 9651). They are hints:
`t` is never earlier than the truth, and a little later for each answer, so that who waits for it does not come back
together with all the others. A Retry-After beside them wins.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from typing import NamedTuple

# RFC 9651, 3.3.1: integers have at most 15 digits.
LARGEST = 10**15 - 1
LONGEST_RESET = 31 * 86_400
JITTER_PERCENT = 5
# The draft's own quota units; others are named in a parameter of ours.
KNOWN_UNITS = frozenset({"requests", "content-bytes", "concurrent-requests"})

_PRINTABLE = re.compile(r"[ -~]*")


class Policy(NamedTuple):
    """A quota of `unit`s in `window` seconds, what remains of it, and in how many seconds it is whole again."""

    name: str
    quota: int
    window: int
    remaining: int
    reset: int | None = None
    unit: str = "requests"


def fields(policies: Iterable[Policy], draw: Callable[[int], int] = secrets.randbelow) -> dict[str, str]:
    """The two header fields, by lower-case name; none without a policy. `draw(n)` gives a number below n.

    Raises ValueError for a name that no String of the format can hold.
    """
    quotas, limits = [], []
    for policy in policies:
        name = _string(policy.name)
        unit = f";qu={_string(policy.unit)}" if policy.unit in KNOWN_UNITS else f";portero-unit={_string(policy.unit)}"
        quotas.append(f"{name};q={_integer(policy.quota)};w={max(1, _integer(policy.window))}{unit}")
        reset = "" if policy.reset is None else f";t={_later(policy.reset, draw)}"
        limits.append(f"{name};r={_integer(policy.remaining)}{reset}")
    return {"ratelimit-policy": ", ".join(quotas), "ratelimit": ", ".join(limits)} if quotas else {}


def _later(reset: int, draw: Callable[[int], int]) -> int:
    whole = min(LONGEST_RESET, max(0, reset))
    return whole + draw(whole * JITTER_PERCENT // 100 + 2)


def _integer(number: int) -> int:
    return min(LARGEST, max(0, number))


def _string(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("a String of a structured field holds printable ASCII only")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
