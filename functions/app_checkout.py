"""The console calls when an owner chooses a plan.

The intent to subscribe is written, so that the provider's webhook finds its business. The answer is the address of the
provider's own payment page.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=10.0,
    rate=5,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("subscriptions",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Keep the intent, open the provider's page."""
    raise NotBuilt()
