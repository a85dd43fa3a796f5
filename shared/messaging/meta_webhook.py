"""From one webhook body of Meta to the items that are kept: one for each message, status and anything else.

Shapes: WhatsApp Cloud API webhooks (v23.0 to v26.0) and the Messenger Platform. A body is a batch; nothing in it may
make its siblings disappear, so dispatch is by the keys that are there, and what is unknown is kept as `account`.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from shared.data.storable import moment_of
from shared.messaging.wishes import wish_of

MAXIMUM_TEXT = 65_536
MAXIMUM_NAME = 256
MAXIMUM_ID = 512
MAXIMUM_SENDER = 128
MAXIMUM_PLACE = 64
_PHONE = re.compile(r"[0-9]{5,20}")

Item = dict[str, Any]


def items_of(body: Any, arrived_at: float, own_app: str = "") -> list[Item]:
    """The items of a verified body, in order. `arrived_at` in seconds since the epoch, `own_app` our id at Meta.

    Each: {channel, channel_id, kind, key, occurred_at, item} and, for messages, {contact, type, text, provider_id,
    wish}, for echoes (what the business wrote on its phone) the same to the contact, for statuses, {status}. The key
    names the effect, from signed material only, so that a repeated delivery in another batch is the same effect.
    """
    if not isinstance(body, dict):
        return []
    source = body.get("object")
    entries = [entry for entry in _list(body.get("entry")) if isinstance(entry, dict)]
    if source == "whatsapp_business_account":
        return [item for entry in entries for item in _whatsapp_items(entry, arrived_at)]
    channel = {"page": "messenger", "instagram": "instagram"}.get(str(source))
    if channel is None:
        return []
    return [item for entry in entries for item in _page_items(channel, entry, arrived_at, own_app)]


def _whatsapp_items(entry: dict[str, Any], arrived_at: float) -> Iterator[Item]:
    for change in _list(entry.get("changes")):
        value = _object(_object(change).get("value"))
        number = str(_object(value.get("metadata")).get("phone_number_id", ""))
        # What concerns the whole account names no number.
        about = {"channel": "whatsapp", "channel_id": number or str(entry.get("id", ""))}
        cards, found = _Cards(_list(value.get("contacts"))), False
        for message in _list(value.get("messages")):
            found = True
            yield about | _whatsapp_message(_object(message), cards, number, arrived_at)
        for echo in _list(value.get("message_echoes")):
            found = True
            yield about | _whatsapp_echo(_object(echo), number, arrived_at)
        for status in _list(value.get("statuses")):
            found = True
            yield about | _whatsapp_status(_object(status), number, arrived_at)
        if not found:
            yield about | _other(_object(change), str(entry.get("id", "")), str(entry.get("time", "")), arrived_at)


class _Cards:
    """The contact cards of one change, found by whose they are: a body may hold a thousand, and as many messages."""

    def __init__(self, contacts: list[Any]) -> None:
        self._cards = [_object(card) for card in contacts]
        self._places: dict[tuple[str, str], int] = {}
        for place, card in enumerate(self._cards):
            for name in ("wa_id", "user_id"):
                if isinstance(card.get(name), str):
                    self._places.setdefault((name, card[name]), place)

    def of(self, phone: str, opaque: str) -> dict[str, Any]:
        """The first card that belongs to the sender; the only card, when the sender names none of them."""
        named = (("wa_id", phone), ("user_id", opaque))
        places = [self._places[name] for name in named if name[1] and name in self._places]
        if places:
            return self._cards[min(places)]
        return self._cards[0] if len(self._cards) == 1 else {}


def _whatsapp_message(message: dict[str, Any], cards: _Cards, number: str, arrived_at: float) -> Item:
    wamid = str(message.get("id", ""))
    phone = str(message.get("from") or "")
    opaque = str(message.get("from_user_id") or "")
    contact = cards.of(phone, opaque)
    phone = phone or str(contact.get("wa_id") or "")
    opaque = opaque or str(contact.get("user_id") or "")
    sender = opaque or phone
    if not 0 < len(wamid) <= MAXIMUM_ID or not 0 < len(sender) <= MAXIMUM_SENDER:
        # Without an id or a sender there is nobody to answer, but what came is kept.
        return _other(message, number, "", arrived_at)
    name = str(_object(contact.get("profile")).get("name") or "")[:MAXIMUM_NAME]
    kept = _said("message", message, number, _party(sender, phone, name), arrived_at)
    return kept | {"wish": wish_of(kept["text"])}


def _whatsapp_echo(echo: dict[str, Any], number: str, arrived_at: float) -> Item:
    """What the business wrote to a contact on its phone (the field smb_message_echoes of coexistence)."""
    wamid, phone = str(echo.get("id", "")), str(echo.get("to") or "")
    recipient = str(echo.get("to_user_id") or phone)
    if not 0 < len(wamid) <= MAXIMUM_ID or not 0 < len(recipient) <= MAXIMUM_SENDER:
        return _other(echo, number, "", arrived_at)
    return _said("echo", echo, number, _party(recipient, phone, ""), arrived_at)


def _said(kind: str, message: dict[str, Any], number: str, contact: Item, arrived_at: float) -> Item:
    wamid = str(message["id"])
    return {
        "kind": kind,
        "key": f"{number}:{wamid}",
        "occurred_at": _moment(message.get("timestamp"), arrived_at),
        "item": message,
        "contact": contact,
        "type": _type_of(message),
        "text": _text_of(message)[:MAXIMUM_TEXT],
        "provider_id": wamid,
    }


def _party(identity: str, phone: str, name: str) -> Item:
    return {"id": identity, "phone": phone if _PHONE.fullmatch(phone) else None, "name": name}


def _type_of(message: dict[str, Any]) -> str:
    declared = str(message.get("type") or "unknown")
    return declared[:40] if declared in message or declared == "unsupported" else "unsupported"


def _text_of(message: dict[str, Any]) -> str:
    """What the customer wrote or chose; empty for a message without words."""
    interactive = _object(message.get("interactive"))
    candidates = (
        _object(message.get("text")).get("body"),
        _object(message.get("button")).get("text"),
        _object(interactive.get("button_reply")).get("title"),
        _object(interactive.get("list_reply")).get("title"),
        *(_object(message.get(kind)).get("caption") for kind in ("image", "video", "document")),
    )
    return next((text for text in candidates if isinstance(text, str)), "")


def _whatsapp_status(status: dict[str, Any], number: str, arrived_at: float) -> Item:
    wamid, name = str(status.get("id", "")), str(status.get("status", ""))
    recipient = str(status.get("recipient_id") or status.get("recipient_user_id") or "")
    participant = str(status.get("recipient_participant_id") or "")
    errors = [_object(error) for error in _list(status.get("errors"))]
    told = {
        "outbox_id": str(status.get("biz_opaque_callback_data") or ""),
        "error": str(errors[0].get("code", "unknown")) if errors else None,
    }
    return _status(status, (number, wamid, name, recipient, participant), told, arrived_at)


def _status(item: dict[str, Any], key: tuple[str, ...], told: dict[str, str | None], arrived_at: float) -> Item:
    """`key`: (number or page, provider's id of the message, name of the status, ...)."""
    return {
        "kind": "status",
        "key": hashlib.sha256(repr(key).encode()).hexdigest(),
        "occurred_at": _moment(item.get("timestamp"), arrived_at),
        "item": item,
        # A message's own id is never that long, so it would find none; the raw item keeps it.
        "status": {"provider_id": key[1] if len(key[1]) <= MAXIMUM_ID else None, "status": key[2], **told},
    }


def _page_items(channel: str, entry: dict[str, Any], arrived_at: float, own_app: str) -> Iterator[Item]:
    """Messenger and Instagram. What another app answers ("standby") and what is no message are kept as they came."""
    page = str(entry.get("id", ""))
    about = {"channel": channel, "channel_id": page}
    for event in map(_object, _list(entry.get("messaging"))):
        statuses = [about | status for status in _page_statuses(event, page, arrived_at, own_app)]
        yield from statuses
        if not statuses:
            yield about | (_page_message(event, page, arrived_at, own_app) or _other(event, page, "", arrived_at))
    for event in map(_object, [*_list(entry.get("standby")), *_list(entry.get("changes"))]):
        yield about | _other(event, page, "", arrived_at)


def _page_statuses(event: dict[str, Any], page: str, arrived_at: float, own_app: str) -> Iterator[Item]:
    """Deliveries, reads, and the echo of what we sent, which is the first to tell that it left."""
    message, read = _object(event.get("message")), _object(event.get("read"))
    told: dict[str, str | None] = {"outbox_id": "", "error": None}
    if message.get("is_echo") and _is_ours(message, own_app):
        told["outbox_id"] = str(message.get("metadata") or "")
        yield _status(event, (page, str(message.get("mid", "")), "sent"), told, arrived_at)
    for mid in _list(_object(event.get("delivery")).get("mids")):
        yield _status(event, (page, str(mid), "delivered"), told, arrived_at)
    if read.get("mid"):
        yield _status(event, (page, str(read["mid"]), "read"), told, arrived_at)


def _is_ours(message: dict[str, Any], own_app: str) -> bool:
    """Whether this app wrote it. Without knowing our own id every app counts as this one, and people as nobody's."""
    app = str(message.get("app_id") or "")
    return app == own_app if own_app else bool(app)


def _page_message(event: dict[str, Any], page: str, arrived_at: float, own_app: str) -> Item | None:
    """A customer's message or button, or what a person of the business wrote; None for anything else."""
    message, postback = _object(event.get("message")), _object(event.get("postback"))
    sender = str(_object(event.get("sender")).get("id", ""))
    is_own = bool(message.get("is_echo")) or sender == page
    party = str(_object(event.get("recipient")).get("id", "")) if is_own else sender
    mid = str(message.get("mid") or postback.get("mid") or "")
    if postback and not mid:
        mid = hashlib.sha256(repr((sender, event.get("timestamp"), postback.get("payload"))).encode()).hexdigest()
    if not 0 < len(mid) <= MAXIMUM_ID or not 0 < len(party) <= MAXIMUM_SENDER or message.get("is_deleted"):
        return None
    text = postback.get("title") if postback else message.get("text")
    words = text[:MAXIMUM_TEXT] if isinstance(text, str) else ""
    return {
        "kind": "echo" if is_own else "message",
        "key": f"{page}:{mid}",
        "occurred_at": _moment(event.get("timestamp"), arrived_at),
        "item": event,
        "contact": _party(party, "", ""),
        "type": "button" if postback else "text" if isinstance(text, str) else _attached(message),
        "text": words,
        "provider_id": mid,
        "wish": None if is_own else wish_of(words),
    }


def _attached(message: dict[str, Any]) -> str:
    attachments = _list(message.get("attachments"))
    kind = _object(attachments[0]).get("type") if attachments else None
    return kind[:40] if isinstance(kind, str) and kind else "unsupported"


def _other(item: dict[str, Any], account: str, time: str, arrived_at: float) -> Item:
    digest = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
    return {
        "kind": "account",
        "key": f"{_short(account)}:{digest}:{_short(time)}",
        "occurred_at": _moment(None, arrived_at),
        "item": item,
    }


def _short(place: str) -> str:
    """A part of a key as it is, or its digest where it is longer than any that Meta gives."""
    return place if len(place) <= MAXIMUM_PLACE else hashlib.sha256(place.encode()).hexdigest()


def _moment(timestamp: Any, arrived_at: float) -> str:
    return moment_of(timestamp, arrived_at).isoformat()


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
