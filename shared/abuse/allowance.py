"""What a function's GUARD says of its consumption, handed to the admission with the request.

Light: every function's guard imports it.
"""

from typing import NamedTuple, Protocol

from shared.clock import Deadline

# What a call may consume, and by which meters that is counted. An embedding is paid in micro-dollars too.
METERS = {
    "ai": ("ai_microdollars", "ai_tokens"),
    "embedding": ("ai_microdollars", "embedding_tokens"),
    "file": ("files", "file_bytes"),
    "send": ("sends",),
}


class Allowance(NamedTuple):
    """`consumes`: resources of METERS. `rates`: (scope, calls, seconds), of a tenant, contact, member or channel each.

    `store_down`: "degrade" admits in Postgres while Redis is away, anything else admits nothing.
    """

    function: str
    consumes: tuple[str, ...] = ()
    rates: tuple[tuple[str, int, int], ...] = ()
    store_down: str = "refuse"


class Asking(Protocol):
    """The guarded request that wants to consume something (shared/guard/request.py)."""

    @property
    def allowance(self) -> Allowance:
        """What its function declared."""

    @property
    def deadline(self) -> Deadline:
        """When its work must be done."""
