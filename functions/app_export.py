"""The console calls when an owner asks for all data of the business.

An archive is made of every table that says it is exported, and kept for a week. The answer is its address, which
works once.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=25.0,
    rate=2,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("exports", "bucket"),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Collect, pack, keep."""
    raise NotBuilt()
