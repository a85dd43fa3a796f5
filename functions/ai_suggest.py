"""The console calls when a person answers a conversation and wants a draft.

Nothing is written and nobody is messaged. The answer is a draft with the files that it was taken from.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=25.0,
    rate=20,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=(),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Read the conversation as the person may, draft."""
    raise NotBuilt()
