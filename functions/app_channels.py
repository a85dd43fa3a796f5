"""The console calls when an owner connects or disconnects a number or a page.

The channel is written down with its token, encrypted for that business alone. The answer shows the channel without it.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=10.0,
    rate=20,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("channels",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Ask the provider whether the token is good, seal it, keep."""
    raise NotBuilt()
