"""The console calls when a person takes a conversation, or gives it back to the assistant.

Who answers in that conversation is written down. The answer says who that is now.
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
    writes=("conversations",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Change who answers."""
    raise NotBuilt()
