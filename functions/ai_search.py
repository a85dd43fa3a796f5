"""The console calls when a member searches what the assistant knows.

Nothing is written. The answer is the nearest passages, nearest first, with the files that hold them.
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
    """Embed the question, search with the person's own rights."""
    raise NotBuilt()
