"""The schemes of hmac(...): how each provider's signature names the caller.

A scheme's own branch imports its verifier, so that a webhook starts with one scheme's code only.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from shared.abuse import quarantine
from shared.cloud.parameters import live
from shared.data.storable import repaired
from shared.errors import Refused
from shared.guard.request import Caller, HttpCall
from shared.guard.response import Response
from shared.guard.rotation import count_old
from shared.settings import Secret, Setting, read_number

MAXIMUM_FACT = 200
PADDLE_TOLERANCE_SECONDS = 5

log = logging.getLogger("portero")


class Scheme(NamedTuple):
    """`admit` names the caller, answers an early question itself, or raises Refused or Unavailable.

    `signs_body`: whether the signature covers the whole body. Where it does not, the function gets none, and what is
    signed stands in the caller's facts.
    """

    admit: Callable[[HttpCall, float], Caller | Response]
    signs_body: bool


def _admit_meta(call: HttpCall, now: float) -> Caller | Response:
    from shared.guard.verify import meta

    if call.method == "GET":
        return Response(text=meta.verify_handshake(call.query, live(Secret.META_VERIFY_TOKEN)))
    place = meta.verify_signature(call.body, call.header("x-hub-signature-256"), live(Secret.META_APP_SECRET))
    count_old(place, Secret.META_APP_SECRET)
    return Caller(kind="meta")


def _admit_meta_signed_request(call: HttpCall, now: float) -> Caller:
    """Facts: kind ("deletion" or "deauthorize"), user_id, issued_at.

    Nothing signed tells the two apart; Meta is given the address with ?kind=... for each.
    """
    from shared.guard.verify import signed_request

    signed = signed_request.verify_form(call.body, live(Secret.META_APP_SECRET), now)
    if call.query.get("kind") not in (["deletion"], ["deauthorize"]):
        raise Refused("callback_kind_unknown", 400)
    count_old(signed.place, Secret.META_APP_SECRET)
    facts = {"kind": call.query["kind"][0], "user_id": signed.user_id, "issued_at": signed.issued_at}
    return Caller(kind="meta_signed_request", facts=facts)


def _admit_mercadopago(call: HttpCall, now: float) -> Caller:
    """Facts: data_id, request_id, ts. What does not verify is not refused: see _quarantined."""
    from shared.guard.verify import mercadopago

    secrets = live(Secret.MERCADOPAGO_WEBHOOK_SECRET)
    header, request_id = call.header("x-signature"), call.header("x-request-id")
    try:
        signed = mercadopago.verify_signature(header, request_id, call.query.get("data.id", []), secrets, now)
    except Refused as refusal:
        return _quarantined(call, refusal, now)
    count_old(signed.place, Secret.MERCADOPAGO_WEBHOOK_SECRET)
    facts = {"data_id": signed.data_id, "request_id": signed.request_id, "ts": signed.ts}
    return Caller(kind="mercadopago", facts=facts)


def _quarantined(call: HttpCall, refusal: Refused, now: float) -> Caller:
    """Mercado Pago signs some of its notifications never (QR codes, IPN) and some in ways that nobody can verify.

    So such a delivery is let through as untrusted, to be kept and to have no effect until the provider's API confirms
    it, and only so many of them (shared/abuse/quarantine.py). Its facts are what it claims: data_id, request_id,
    signature, topic, and the refusal that it would have got.

    Raises Refused by the names of `quarantine.admit`.
    """
    quarantine.admit(call.source_ip, now)
    # Not called a refusal: the alarm for refusals is for forgeries, and much of this is how Mercado Pago is.
    log.warning("quarantined", extra={"unverified": refusal.name})
    facts = {
        "data_id": _first(call, "data.id") or _first(call, "id"),
        "request_id": _claim(call.header("x-request-id")),
        "signature": _claim(call.header("x-signature")),
        "topic": _first(call, "type") or _first(call, "topic"),
        "refusal": refusal.name,
    }
    return Caller(kind="mercadopago", facts=facts, trusted=False)


def _first(call: HttpCall, field: str) -> str:
    return _claim(call.query.get(field, [""])[0])


def _claim(text: str) -> str:
    """What a stranger says, of a length and in characters that can be kept."""
    kept: str = repaired(text[:MAXIMUM_FACT])
    return kept


def _admit_paddle(call: HttpCall, now: float) -> Caller:
    from shared.guard.verify import paddle

    secrets, header = live(Secret.PADDLE_WEBHOOK_SECRET), call.header("paddle-signature")
    tolerance = read_number(Setting.PADDLE_TOLERANCE_SECONDS, PADDLE_TOLERANCE_SECONDS, 1, 999)
    place = paddle.verify_signature(call.body, header, secrets, now, tolerance)
    count_old(place, Secret.PADDLE_WEBHOOK_SECRET)
    return Caller(kind="paddle")


SCHEMES: dict[str, Scheme] = {
    "meta": Scheme(_admit_meta, signs_body=True),
    "meta_signed_request": Scheme(_admit_meta_signed_request, signs_body=False),
    "mercadopago": Scheme(_admit_mercadopago, signs_body=False),
    "paddle": Scheme(_admit_paddle, signs_body=True),
}
