"""A schedule calls every day.

What has been kept for as long as its table says is erased. The answer counts the rows of each table.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    methods=("POST",),
    seconds=25.0,
    secrets=("CRON_SECRET",),
    writes=("inbox", "messages", "outbox", "contacts", "conversations", "bucket"),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Erase what is old enough."""
    raise NotBuilt()
