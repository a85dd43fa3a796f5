"""The billing queue calls with an event that a provider's webhook kept.

One worker asks the provider for the truth and writes it down. What the plan allows follows from that.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, queue

GUARD = guard(
    queue("billing"),
    seconds=28.0,
    secrets=("QUEUE_KEY",),
    writes=("billing_events", "subscriptions", "tenants"),
    store_down="queue",
)


@GUARD
def handler(request: Request) -> Response:
    """Claim, ask the provider, settle."""
    raise NotBuilt()
