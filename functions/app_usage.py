"""The console calls when a member looks at what the business has used.

Nothing is written. The answer holds, for the period that is asked for, what was used, what is held and what is left.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=10.0,
    rate=60,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=(),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Read the ledger with the person's own rights."""
    raise NotBuilt()
