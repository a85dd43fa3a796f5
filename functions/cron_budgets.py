"""A schedule calls every five minutes.

Holds that nobody settled are charged, and the counters are compared with the ledger. What was charged and what differed
is counted in the answer.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    methods=("POST",),
    seconds=25.0,
    secrets=("CRON_SECRET",),
    writes=("ledger",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Charge, compare."""
    raise NotBuilt()
