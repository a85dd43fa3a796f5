"""Meta webhook bodies in their official shapes, and the signature that makes them believed.

Shapes: "Webhooks" and "Business-scoped user IDs" of the WhatsApp Business Platform, "Webhook events" of the Messenger
Platform. A WhatsApp body is built from the inside out: content -> message -> `whatsapp`.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
StatusName = Literal["sent", "delivered", "read", "played", "failed"]

DEMO_NUMBER_ID = "106540352242922"
DEMO_WABA_ID = "102290129340398"
DEMO_DISPLAY_NUMBER = "551150390000"
DEMO_PAGE_ID = "108914250412345"
DEMO_INSTAGRAM_ID = "17841405822304914"
DEMO_APP_ID = "938475610293847"
DEMO_CUSTOMER = "5491155550101"
ERROR_CODES_PAGE = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


@dataclass(frozen=True)
class Customer:
    """Someone who writes. A user with a username may show only `user_id` (a business-scoped id such as AR.1234...)."""

    phone: str | None = DEMO_CUSTOMER
    name: str = "Ana"
    user_id: str | None = None
    username: str | None = None

    @property
    def identity(self) -> str:
        """What an answer is addressed to: the phone number when it is known, else the business-scoped user id."""
        identity = self.phone or self.user_id
        if identity is None:
            raise ValueError("a customer needs a phone or a user_id")
        return identity


def new_wamid(phone: str, *, outgoing: bool = False) -> str:
    """A fresh WhatsApp message id. As the real ones it is base64 of a record that contains the phone number."""
    digits = phone.lstrip("+").encode()
    kind, unique = (0x11, secrets.token_hex(9)) if outgoing else (0x12, secrets.token_hex(10))
    record = b"\x1c\x18" + bytes([len(digits)]) + digits + b"\x15\x02\x00" + bytes([kind])
    record += b"\x18" + bytes([len(unique)]) + unique.upper().encode() + b"\x00"
    return "wamid." + base64.b64encode(record).decode()


# What a message can carry ("content"): its type and the object named after it.


def text(body: str) -> Json:
    """Plain text."""
    return {"type": "text", "text": {"body": body}}


def image(media_id: str, caption: str | None = None, content: bytes = b"") -> Json:
    """A photo; `content` only feeds its sha256."""
    media = _media(media_id, "image/jpeg", content)
    return {"type": "image", "image": media if caption is None else {"caption": caption, **media}}


def audio(media_id: str, *, voice: bool = True, content: bytes = b"") -> Json:
    """A sound file, or a voice note when `voice`."""
    return {"type": "audio", "audio": {**_media(media_id, "audio/ogg; codecs=opus", content), "voice": voice}}


def location(latitude: float, longitude: float, name: str | None = None, address: str | None = None) -> Json:
    """A place; `name` and `address` only when the sender chose a known one."""
    place: Json = {"latitude": latitude, "longitude": longitude}
    place |= {key: value for key, value in {"name": name, "address": address}.items() if value is not None}
    return {"type": "location", "location": place}


def contact_card(name: str, phone: str) -> Json:
    """Someone's contact card."""
    card = {
        "name": {"first_name": name, "formatted_name": name},
        "phones": [{"phone": f"+{phone}", "wa_id": phone, "type": "CELL"}],
    }
    return {"type": "contacts", "contacts": [card]}


def reaction(message_id: str, emoji: str | None) -> Json:
    """An emoji on a message; None takes it back."""
    reacted = {"message_id": message_id}
    return {"type": "reaction", "reaction": reacted if emoji is None else {**reacted, "emoji": emoji}}


def button(label: str, payload: str) -> Json:
    """A quick-reply button of a template."""
    return {"type": "button", "button": {"payload": payload, "text": label}}


def button_reply(reply_id: str, title: str) -> Json:
    """A button of an interactive message."""
    return _interactive("button_reply", {"id": reply_id, "title": title})


def list_reply(reply_id: str, title: str, description: str | None = None) -> Json:
    """A row of an interactive list."""
    row = {"id": reply_id, "title": title}
    return _interactive("list_reply", row if description is None else {**row, "description": description})


def order(catalog_id: str, items: Sequence[tuple[str, int, float, str]]) -> Json:
    """A cart; each item is (retailer id, quantity, unit price, currency)."""
    names = ("product_retailer_id", "quantity", "item_price", "currency")
    products = [dict(zip(names, item, strict=True)) for item in items]
    return {"type": "order", "order": {"catalog_id": catalog_id, "text": "", "product_items": products}}


def number_changed(old_phone: str, new_phone: str) -> Json:
    """The system message about a customer who moved to another number."""
    body = f"User A changed from {old_phone} to {new_phone}"
    return {"type": "system", "system": {"body": body, "wa_id": new_phone, "type": "user_changed_number"}}


def user_id_changed(old_user_id: str, new_user_id: str) -> Json:
    """The system message about a customer whose business-scoped user id changed."""
    body = f"User changed from {old_user_id} to {new_user_id}"
    ids = {"user_id": new_user_id, "previous_user_id": old_user_id}
    return {"type": "system", "system": {"body": body, **ids, "type": "user_changed_user_id"}}


def unsupported() -> Json:
    """A kind of message that the platform does not pass on (a poll, a view-once photo)."""
    error = {
        "code": 131051,
        "title": "Message type unknown",
        "message": "Message type unknown",
        "error_data": {"details": "Message type is currently not supported."},
    }
    return {"type": "unsupported", "errors": [error]}


def edit(original_message_id: str, body: str) -> Json:
    """New text for an earlier message."""
    return {"type": "edit", "edit": {"original_message_id": original_message_id, "message": text(body)}}


def revoke(original_message_id: str) -> Json:
    """An earlier message deleted for everyone."""
    return {"type": "revoke", "revoke": {"original_message_id": original_message_id}}


def _media(media_id: str, mime_type: str, content: bytes) -> Json:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {"id": media_id, "mime_type": mime_type, "sha256": digest}


def _interactive(kind: str, reply: Json) -> Json:
    return {"type": "interactive", "interactive": {"type": kind, kind: reply}}


# Messages and statuses, and the envelope around them.


def message(
    content: Json,
    sender: Customer | None = None,
    *,
    message_id: str | None = None,
    at: float | None = None,
    context: Json | None = None,
) -> Json:
    """One entry of `messages`. `at` is unix seconds, now by default; `context` names the message it answers."""
    sender = sender or Customer()
    addressed: Json = {"from": sender.phone} if sender.phone else {}
    if sender.user_id:
        addressed["from_user_id"] = sender.user_id
    if context is not None:
        addressed["context"] = context
    return {
        **addressed,
        "id": message_id or new_wamid(sender.identity),
        "timestamp": _seconds(at),
        **content,
    }


def status(
    message_id: str,
    name: StatusName,
    recipient: str,
    *,
    at: float | None = None,
    callback_data: str | None = None,
    error: Json | None = None,
) -> Json:
    """One entry of `statuses` about a message we sent; `error` is {"code", "title", "details"} of a failed one."""
    seconds = _seconds(at)
    entry: Json = {"id": message_id, "status": name, "timestamp": seconds, "recipient_id": recipient}
    if callback_data is not None:
        entry["biz_opaque_callback_data"] = callback_data
    if name == "failed":
        known = error or {"code": 131000, "title": "Something went wrong", "details": "Something went wrong"}
        described = {"code": known["code"], "title": known["title"], "message": known["title"]}
        entry["errors"] = [{**described, "error_data": {"details": known["details"]}, "href": ERROR_CODES_PAGE}]
        return entry
    conversation: Json = {"id": hashlib.sha256(recipient.encode()).hexdigest()[:32], "origin": {"type": "service"}}
    if name == "sent":
        conversation["expiration_timestamp"] = str(int(seconds) + 24 * 60 * 60)
    pricing = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"}
    return entry | {"conversation": conversation, "pricing": pricing}


def whatsapp(
    messages: Sequence[Json] = (),
    statuses: Sequence[Json] = (),
    *,
    senders: Sequence[Customer] = (),
    number_id: str = DEMO_NUMBER_ID,
    waba_id: str = DEMO_WABA_ID,
    display_number: str = DEMO_DISPLAY_NUMBER,
) -> Json:
    """A whole webhook body with any number of messages and statuses of one business number."""
    metadata = {"display_phone_number": display_number, "phone_number_id": number_id}
    value: Json = {"messaging_product": "whatsapp", "metadata": metadata}
    if senders:
        value["contacts"] = [_contact(sender) for sender in senders]
    if messages:
        value["messages"] = list(messages)
    if statuses:
        value["statuses"] = list(statuses)
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": waba_id, "changes": [{"value": value, "field": "messages"}]}],
    }


def whatsapp_message(
    content: Json,
    sender: Customer | None = None,
    *,
    message_id: str | None = None,
    at: float | None = None,
    number_id: str = DEMO_NUMBER_ID,
) -> Json:
    """A whole webhook body with one message: what arrives when somebody writes once."""
    sender = sender or Customer()
    one = message(content, sender, message_id=message_id, at=at)
    return whatsapp([one], senders=[sender], number_id=number_id)


def whatsapp_echo(body: str, recipient: Customer | None = None, *, at: float | None = None) -> Json:
    """A whole webhook body: the business wrote on its phone (coexistence), and the contact is not answered again."""
    phone = (recipient or Customer()).phone
    assert phone is not None
    echo = {
        "from": DEMO_DISPLAY_NUMBER,
        "to": phone,
        "id": new_wamid(phone, outgoing=True),
        "timestamp": _seconds(at),
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": DEMO_DISPLAY_NUMBER, "phone_number_id": DEMO_NUMBER_ID},
        "message_echoes": [{**echo, **text(body)}],
    }
    change = {"field": "smb_message_echoes", "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": DEMO_WABA_ID, "changes": [change]}]}


def _contact(sender: Customer) -> Json:
    profile = {"name": sender.name} if sender.username is None else {"name": sender.name, "username": sender.username}
    contact: Json = {"profile": profile}
    if sender.phone:
        contact["wa_id"] = sender.phone
    if sender.user_id:
        contact["user_id"] = sender.user_id
    return contact


def instagram_text(
    body: str, sender_id: str, *, account_id: str = DEMO_INSTAGRAM_ID, mid: str | None = None, at: float | None = None
) -> Json:
    """A webhook body with one Instagram direct message. `sender_id` is the Instagram-scoped id."""
    return _direct_message("instagram", body, sender_id, account_id, mid or _new_mid("aWdfZAG1f"), at)


def messenger_text(
    body: str, sender_id: str, *, page_id: str = DEMO_PAGE_ID, mid: str | None = None, at: float | None = None
) -> Json:
    """A webhook body with one Messenger message. `sender_id` is the page-scoped id."""
    return _direct_message("page", body, sender_id, page_id, mid or _new_mid("m_"), at)


def _direct_message(kind: str, body: str, sender_id: str, account_id: str, mid: str, at: float | None) -> Json:
    milliseconds = int((time.time() if at is None else at) * 1000)
    item = {
        "sender": {"id": sender_id},
        "recipient": {"id": account_id},
        "timestamp": milliseconds,
        "message": {"mid": mid, "text": body},
    }
    return {"object": kind, "entry": [{"id": account_id, "time": milliseconds, "messaging": [item]}]}


def page_event(kind: str, account_id: str, person_id: str, event: Json, *, is_own: bool = False, at: float) -> Json:
    """A webhook body with one event of Messenger ("page") or Instagram: from the person, or the account's own."""
    person, account = {"id": person_id}, {"id": account_id}
    sides = {"sender": account, "recipient": person} if is_own else {"sender": person, "recipient": account}
    milliseconds = int(at * 1000)
    item = {**sides, "timestamp": milliseconds, **event}
    return {"object": kind, "entry": [{"id": account_id, "time": milliseconds, "messaging": [item]}]}


def _new_mid(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(48)


def _seconds(at: float | None) -> str:
    return str(int(time.time() if at is None else at))


def encode(body: Json, *, escaped: bool = True) -> bytes:
    r"""The bytes that travel: Meta's escaped form (non-ASCII as \uXXXX, `/` as `\/`), or raw UTF-8."""
    if escaped:
        return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def sign(body: bytes, app_secret: str) -> str:
    """The value of X-Hub-Signature-256: HMAC-SHA256 of the exact bytes under the app secret."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
