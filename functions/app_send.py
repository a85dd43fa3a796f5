"""The console calls when a person writes to a customer.

The message is kept and its row of the outbox with it, and the send queue gets its id. The answer names the row.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=10.0,
    rate=30,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("messages", "outbox"),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Look at the 24 h window, keep, wake."""
    raise NotBuilt()
