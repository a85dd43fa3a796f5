"""A schedule calls every hour.

Each connected channel is asked whether its token is still good, and what it says is written down. The answer counts
the channels that their owner has to connect again.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    methods=("POST",),
    seconds=25.0,
    secrets=("CRON_SECRET",),
    writes=("channels",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Ask, write down."""
    raise NotBuilt()
