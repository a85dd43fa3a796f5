"""Call the billing and privacy webhooks of the running world as Mercado Pago, Paddle or Meta would, rightly signed.

python -m local.notify mercadopago payment 98124501122
python -m local.notify paddle subscription.created
python -m local.notify deletion 122091234567890123
Each takes --wrong-signature.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import httpx

from local import billing_payloads
from local.parts import PLAN_FILE
from local.plan import Plan, load
from local.send import NOT_RUNNING

SECONDS = 30.0
WRONG_SECRET = "not the secret"


def notify_mercadopago(plan: Plan, topic: str, data_id: str, *, wrong_signature: bool = False) -> httpx.Response:
    """A notification that something happened to the payment, subscription or order `data_id`."""
    secret = WRONG_SECRET if wrong_signature else plan.keys.mercadopago
    headers = billing_payloads.mercadopago_headers(data_id, secret)
    body = json.dumps(billing_payloads.mercadopago_body(data_id, topic)).encode()
    query = billing_payloads.mercadopago_query(data_id, topic)
    return _post(plan, f"/webhook/mercadopago?{query}", body, {"content-type": "application/json", **headers})


def notify_paddle(
    plan: Plan, event_type: str, data: dict[str, Any], *, wrong_signature: bool = False
) -> httpx.Response:
    """An event about the entity `data`."""
    body = json.dumps(billing_payloads.paddle_event(event_type, data)).encode()
    signature = billing_payloads.paddle_signature(body, WRONG_SECRET if wrong_signature else plan.keys.paddle)
    return _post(plan, "/webhook/paddle", body, {"content-type": "application/json", "paddle-signature": signature})


def ask_deletion(plan: Plan, user_id: str, *, wrong_signature: bool = False) -> httpx.Response:
    """A person's wish to have their data deleted; the answer names the page that tells how it stands."""
    secret = WRONG_SECRET if wrong_signature else plan.keys.meta_app_secret
    body = billing_payloads.privacy_form(billing_payloads.signed_request(user_id, secret))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return _post(plan, "/webhook/meta-privacy?kind=deletion", body, headers)


def _post(plan: Plan, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    # Loopback only: no proxy from the environment, no certificates to load.
    with httpx.Client(timeout=SECONDS, trust_env=False, verify=False) as client:
        return client.post(plan.url("gateway") + path, content=body, headers=headers)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 when the webhook answered 200."""
    options = _read_arguments(arguments)
    plan = load(PLAN_FILE)
    if plan is None:
        print(NOT_RUNNING)
        return 1
    wrong = options.wrong_signature
    try:
        if options.provider == "mercadopago":
            answer = notify_mercadopago(plan, options.topic, options.id, wrong_signature=wrong)
        elif options.provider == "paddle":
            answer = notify_paddle(plan, options.event_type, json.loads(options.data), wrong_signature=wrong)
        else:
            answer = ask_deletion(plan, options.user, wrong_signature=wrong)
    except httpx.ConnectError:
        print(NOT_RUNNING)
        return 1
    print(f"HTTP {answer.status_code}  {answer.text}")
    return 0 if answer.status_code == 200 else 1


def _read_arguments(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m local.notify", description="Call a webhook as its provider would.")
    providers = parser.add_subparsers(dest="provider", required=True)
    mercadopago = providers.add_parser("mercadopago")
    mercadopago.add_argument("topic", help="payment, subscription_preapproval, order, ...")
    mercadopago.add_argument("id", help="of what the notification is about")
    paddle = providers.add_parser("paddle")
    paddle.add_argument("event_type", help="subscription.created, transaction.completed, ...")
    paddle.add_argument("data", nargs="?", default="{}", help="the entity, as JSON")
    deletion = providers.add_parser("deletion")
    deletion.add_argument("user", help="the app-scoped id of a person")
    for provider in (mercadopago, paddle, deletion):
        provider.add_argument("--wrong-signature", action="store_true", help="sign with another secret")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
