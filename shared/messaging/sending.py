"""Sending through Meta: the WhatsApp Cloud API, and the Send API of Messenger and Instagram.

There is no idempotency key: an attempt without an answer may have been delivered. So the outbox id travels along
(`biz_opaque_callback_data`, `metadata`), and a status or an echo, which returns it, tells what became of the attempt.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from shared.abuse.admission import Grant
from shared.abuse.retries import seconds_asked
from shared.clock import Deadline
from shared.cloud import objects, transport
from shared.data.encryption import Sensitive
from shared.data.store import OutboxClaim
from shared.errors import Unavailable
from shared.messaging.access import CREDENTIAL_CODES, MAX_GRAPH_BYTES, bearer, error_of
from shared.settings import Setting, read_url

MAXIMUM_SECONDS = 10.0

# Error codes that pass by themselves, with the seconds to wait before the next attempt.
_LATER = {
    4: 300, 17: 300, 32: 300, 613: 60, 80007: 300, 130429: 30, 131056: 30, 133016: 300, 131048: 600, 131049: 86400,
    1: 10, 2: 10, 1200: 10, 131000: 10, 131016: 30, 131057: 60, 133004: 60, 135000: 30,
}  # fmt: skip
TRANSIENT_DELAY = 15
# Without a name WhatsApp shows "Untitled". Only PDFs are sent, and what a person's file is called stays with them.
DOCUMENT_NAME = "documento.pdf"
# The whole application is asked to wait, not one number or one pair of numbers.
_EVERYBODY = frozenset({4, 17, 80007})
# Messenger and Instagram say by a subcode of 10 that 24 hours are over.
_OUTSIDE_WINDOW = frozenset({2018278, 2534022})

# The names of the breakers: Meta's API, and the credential of one number or page.
PROVIDER = "send"


def credential_of(number: str) -> str:
    """The name of the breaker for one number's access token."""
    return f"send:{number}"


@dataclass(frozen=True)
class SendOutcome:
    """What came of one attempt; see settle_outbox for the results."""

    result: Literal["sent", "unconfirmed", "later", "failed"]
    provider_id: str | None = None
    error: str | None = None
    delay: int = 0


def send_message(
    claim: OutboxClaim, outbox: str, token: Sensitive | None, grant: Grant, deadline: Deadline
) -> SendOutcome:
    """One attempt to send what an outbox row holds. Never raises for what the provider does.

    `token` is the channel's own access token, None where the platform's serves. `grant` pays for one message, and hears
    whether it was sent and how the provider did.
    """
    host = Setting.INSTAGRAM_GRAPH_URL if claim.channel == "instagram" else Setting.META_GRAPH_URL
    message = _for_whatsapp(claim, outbox) if claim.channel == "whatsapp" else _for_page(claim, outbox)
    grant.dispatch("sends")
    url, headers = f"{read_url(host)}/{claim.channel_id}/messages", bearer(token) | {"content-type": "application/json"}
    body, timeout_seconds = json.dumps(message).encode(), min(MAXIMUM_SECONDS, deadline.remaining())
    try:
        response = transport.send(
            host, "POST", url, headers, body, timeout_seconds, max_bytes=MAX_GRAPH_BYTES, repeat=False
        )
    except transport.NotSent:
        grant.spend(sends=0)
        grant.tell(PROVIDER, "failure")
        return SendOutcome("later", error="provider_unreachable", delay=TRANSIENT_DELAY)
    except Unavailable as problem:
        grant.tell(PROVIDER, "failure")
        return SendOutcome("unconfirmed", error=f"provider_{transport.reason_of(problem)}")
    sent = _outcome(response)
    _tell(grant, claim.channel_id, response, sent)
    return sent


def _for_whatsapp(claim: OutboxClaim, outbox: str) -> dict[str, Any]:
    assert claim.recipient is not None
    address = {"to": claim.recipient.phone} if claim.recipient.phone else {"recipient": claim.recipient.id}
    content: dict[str, Any] = {"type": "text", "text": {"body": claim.text, "preview_url": False}}
    if claim.media is not None:
        content = {"type": claim.media.kind, claim.media.kind: {"id": claim.media.reference}}
        if claim.text:
            content[claim.media.kind]["caption"] = claim.text
        if claim.media.kind == "document":
            content["document"]["filename"] = DOCUMENT_NAME
    if claim.template is not None:
        named = {"name": claim.template.name, "language": {"code": claim.template.language}}
        content = {"type": "template", "template": named}
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **address,
        **content,
        "biz_opaque_callback_data": outbox,
    }


def _for_page(claim: OutboxClaim, outbox: str) -> dict[str, Any]:
    assert claim.recipient is not None
    message: dict[str, Any] = {"text": claim.text}
    if claim.media is not None:
        kind = "file" if claim.media.kind == "document" else claim.media.kind
        # Meta fetches it at once, and keeps a copy of its own.
        message = {"attachment": {"type": kind, "payload": {"url": objects.address("media", claim.media.object_key)}}}
    if claim.channel == "messenger":
        # Comes back in the echo of this message; Instagram has no such field.
        message["metadata"] = outbox
    return {"recipient": {"id": claim.recipient.id}, "messaging_type": "RESPONSE", "message": message}


def _tell(grant: Grant, number: str, response: transport.Answer, sent: SendOutcome) -> None:
    """A message that Meta has not taken costs nothing; whose fault a refusal is decides which breaker hears of it."""
    if sent.result in ("later", "failed"):
        grant.spend(sends=0)
    elif sent.result == "sent":
        grant.spend(sends=1)
    code = int(sent.error) if sent.error and sent.error.isdecimal() else None
    is_credential = code in CREDENTIAL_CODES or response.status in (401, 403)
    if is_credential and sent.error != "outside_window":
        grant.tell(credential_of(number), "failure")
    elif code in _EVERYBODY or (code is None and response.status == 429):
        grant.tell(PROVIDER, "neutral", seconds_asked(response.headers, 429))
    elif response.status >= 500:
        grant.tell(PROVIDER, "failure")
    else:
        grant.tell(PROVIDER, "success")
        grant.tell(credential_of(number), "success")


def _outcome(response: transport.Answer) -> SendOutcome:
    if response.status == 200:
        try:
            return SendOutcome("sent", provider_id=_id_of(response.json()))
        except (ValueError, KeyError, IndexError, TypeError):
            return SendOutcome("unconfirmed", error="provider_answer_malformed")
    error = error_of(response)
    code = error.get("code")
    if error.get("error_subcode") in _OUTSIDE_WINDOW:
        return SendOutcome("failed", error="outside_window")
    if isinstance(code, int) and code in _LATER:
        return SendOutcome("later", error=str(code), delay=_LATER[code])
    if response.status == 429 or response.status >= 500:
        return SendOutcome("later", error=f"http_{response.status}", delay=TRANSIENT_DELAY)
    return SendOutcome("failed", error=str(code or f"http_{response.status}"))


def _id_of(answer: dict[str, Any]) -> str:
    return str(answer["message_id"] if "message_id" in answer else answer["messages"][0]["id"])
