"""A schedule calls every day.

The attacks of the audit are made on this deployment's own doors, and what was refused is kept. The answer counts
both.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    seconds=25.0,
    secrets=("CRON_SECRET",),
    writes=("evidence",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Attack, keep."""
    raise NotBuilt()
