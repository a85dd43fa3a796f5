"""Mercado Pago calls when something happened to a payment, a subscription or an order.

The notification is kept before the answer, once if its signature holds, else in quarantine. It says only what to ask
Mercado Pago about: nothing is believed of it, and nothing happens here.
"""

from shared.data import billing_events
from shared.guard import Request, Response, guard, hmac

GUARD = guard(
    hmac("mercadopago"),
    methods=("POST",),
    body_limit=64 * 1024,
    seconds=3.0,
    rate=600,
    secrets=("MERCADOPAGO_WEBHOOK_SECRET", "SUPABASE_SECRET_KEY"),
    writes=("billing_events",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Keep, answer. Without the database: 503, so that Mercado Pago comes again."""
    caller = request.caller
    new = billing_events.keep_mercadopago(caller.facts, request.query, caller.trusted, request.now, request.deadline)
    return Response(body={"kept": int(new)})
