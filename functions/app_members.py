"""The console calls when an owner invites somebody, changes a role or takes it away.

The membership is written; the last owner stays. The answer lists the members.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=10.0,
    rate=20,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("members",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Change who belongs to the business."""
    raise NotBuilt()
