"""A schedule calls every fifteen minutes.

Billing events without an outcome go back to their queue, and subscriptions are compared with their provider. What was
brought back and what differed is counted in the answer.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    seconds=25.0,
    secrets=("CRON_SECRET",),
    writes=("billing_events", "subscriptions"),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Sweep, compare, wake."""
    raise NotBuilt()
