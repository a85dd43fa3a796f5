"""What follows when a contact tries again and again to turn the assistant: docs/decisions/0011.

A strike takes a score of its own, higher than a block: of harmless lines one in a thousand may reach it, and three of a
customer's by chance in a day then happen once in a quarter of a million.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.data.rows import Standing

STRIKE = 0.95
# Up to so many strikes are answered with the neutral sentence; with the last of them the assistant is slow to answer
# anything, and beyond it does not.
SLOWED = 3
SLOW, BLOCKED = timedelta(minutes=10), timedelta(hours=24)

Step = Literal["clear", "warned", "slowed", "blocked", "held"]


def step_of(standing: Standing, now: float) -> Step:
    """`now`: seconds since the epoch. "slowed" and "blocked" end by themselves, "held" when a member lifts it."""
    if standing.is_held:
        return "held"
    if standing.strikes == 0 or standing.last_at is None:
        return "clear"
    since = datetime.fromtimestamp(now, UTC) - standing.last_at
    if standing.strikes > SLOWED and since < BLOCKED:
        return "blocked"
    if standing.strikes == SLOWED and since < SLOW:
        return "slowed"
    return "warned"
