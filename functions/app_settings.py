"""The console calls when an owner changes how the assistant speaks.

Name, language, instructions and the sentence of a hand-off are written. The answer shows them as they are now.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=32 * 1024,
    seconds=10.0,
    rate=30,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("tenants",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Write what the owner may change."""
    raise NotBuilt()
