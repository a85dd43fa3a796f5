"""Paddle calls when something happened to a subscription, a transaction or a customer.

The event is kept once, before the answer. Nothing else happens here.
"""

from shared.data import billing_events
from shared.guard import Request, Response, guard, hmac

GUARD = guard(
    hmac("paddle"),
    methods=("POST",),
    body_limit=1024 * 1024,
    seconds=3.0,
    rate=600,
    secrets=("PADDLE_WEBHOOK_SECRET", "SUPABASE_SECRET_KEY"),
    writes=("billing_events",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Keep, answer. Without the database: 503, so that Paddle comes again."""
    new = billing_events.keep_paddle(request.json_repaired(), request.raw, request.now, request.deadline)
    return Response(body={"kept": int(new)})
