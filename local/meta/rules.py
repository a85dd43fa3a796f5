"""What Meta checks before it accepts a message: the shape, the 24 hour window, and the rate per pair of numbers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.meta.errors import ERRORS, GraphError
from local.payloads import Json

MEDIA_TYPES = ("image", "audio", "video", "document", "sticker")
ATTACHMENT_TYPES = ("image", "audio", "video", "file")
MESSAGE_TYPES = (
    "audio",
    "contacts",
    "document",
    "image",
    "interactive",
    "location",
    "reaction",
    "sticker",
    "template",
    "text",
    "video",
)
TEXT_LIMIT = {"whatsapp": 4096, "messenger": 2000, "instagram": 1000}  # characters, of Instagram bytes
CALLBACK_DATA_LIMIT = 512  # characters


class Refusal(Exception):
    """The API answers with `error`; `reason` takes the place of its title."""

    def __init__(self, error: GraphError, reason: str | None = None) -> None:
        super().__init__(reason or error.title)
        self.error = error
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """Meta's numbers: the customer-service window, and the rate per (business number, customer): a burst, then one
    message per `pair_seconds`. `enforced=False` lets everything pass.
    """

    window_seconds: float = 24 * 60 * 60
    pair_burst: float = 45
    pair_seconds: float = 6.0
    enforced: bool = True


@dataclass
class Windows:
    """The open windows and the spent bursts of every pair (business number or account, customer)."""

    limits: Limits
    clock: Callable[[], float]
    opened: dict[tuple[str, str], float] = field(default_factory=dict)
    _buckets: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)  # (tokens, at)

    def open(self, number_id: str, customer: str) -> None:
        """A message from the customer has just come in."""
        self.opened[number_id, customer] = self.clock()

    def forget(self) -> None:
        """Close every window and refill every burst."""
        self.opened.clear()
        self._buckets.clear()

    def is_open(self, number_id: str, customer: str) -> bool:
        """Whether anything but a template may be sent now."""
        if not self.limits.enforced:
            return True
        opened_at = self.opened.get((number_id, customer))
        return opened_at is not None and self.clock() - opened_at < self.limits.window_seconds

    def take_turn(self, number_id: str, customer: str) -> bool:
        """Spend one message of the pair's rate; False when there is none left."""
        if not self.limits.enforced:
            return True
        now = self.clock()
        tokens, at = self._buckets.get((number_id, customer), (self.limits.pair_burst, now))
        tokens = min(self.limits.pair_burst, tokens + (now - at) / self.limits.pair_seconds)
        allowed = tokens >= 1
        self._buckets[number_id, customer] = (tokens - 1 if allowed else tokens, now)
        return allowed


@dataclass(frozen=True)
class Checked:
    """A message whose shape is right. `recipient` is a phone without plus, or a user id when `by_user_id`."""

    recipient: str
    recipient_input: str
    by_user_id: bool
    type: str
    text: str | None
    callback_data: str | None = None
    template: tuple[str, str] | None = None
    media: str | None = None


def read_object(body: bytes) -> Json:
    """The JSON object in a request body. Raises Refusal."""
    try:
        value: Any = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refusal(ERRORS[100], "The request body must be a JSON object")
    return value


def check_whatsapp_message(message: Json, own_number: str) -> Checked:
    """Check the body of POST /{phone-number-id}/messages. Raises Refusal."""
    if message.get("messaging_product") != "whatsapp":
        raise Refusal(ERRORS[100], "The parameter messaging_product is required.")
    recipient_input = message.get("to", message.get("recipient"))
    if not isinstance(recipient_input, str) or not recipient_input:
        raise Refusal(ERRORS[100], "The parameter to is required.")
    by_user_id = "to" not in message
    recipient = recipient_input if by_user_id else "".join(filter(str.isdigit, recipient_input))
    if not recipient:
        raise Refusal(ERRORS[131009], "Parameter to is not a phone number")
    if recipient == own_number:
        raise Refusal(ERRORS[131021])
    kind = message.get("type", "text")
    if kind not in MESSAGE_TYPES:
        raise Refusal(ERRORS[100], f"Param type must be one of {{{', '.join(MESSAGE_TYPES).upper()}}}")
    content: Any = message.get(kind)
    has_expected_shape = isinstance(content, list if kind == "contacts" else dict)
    if not content or not has_expected_shape:
        raise Refusal(ERRORS[131008], f"Parameter {kind} is required")
    callback_data = message.get("biz_opaque_callback_data")
    if callback_data is not None and not (isinstance(callback_data, str) and len(callback_data) <= CALLBACK_DATA_LIMIT):
        raise Refusal(ERRORS[100], f"biz_opaque_callback_data must be at most {CALLBACK_DATA_LIMIT} characters long.")
    text = None
    if kind == "text":
        text = _checked_text(content.get("body"), "whatsapp")
    if kind == "template" and not (content.get("name") and (content.get("language") or {}).get("code")):
        raise Refusal(ERRORS[131008], "Parameter template needs a name and a language code")
    named = (content["name"], content["language"]["code"]) if kind == "template" else None
    media = str(content.get("id", "")) if kind in MEDIA_TYPES else None
    if kind == "audio" and "caption" in content:
        raise Refusal(ERRORS[100], "Unexpected key caption on param audio.")
    return Checked(recipient, recipient_input, by_user_id, kind, text, callback_data, named, media)


def check_direct_message(message: Json, channel: str) -> Checked:
    """Check the body of the Send API (Messenger, Instagram). `text` is None for a sender action. Raises Refusal."""
    recipient = (message.get("recipient") or {}).get("id")
    if not isinstance(recipient, str) or not recipient:
        raise Refusal(ERRORS[100], "The parameter recipient is required")
    if message.get("sender_action") in ("typing_on", "typing_off", "mark_seen"):
        return Checked(recipient, recipient, True, "sender_action", None)
    content = message.get("message")
    if not isinstance(content, dict):
        raise Refusal(ERRORS[100], "The parameter message is required")
    metadata = content.get("metadata") if channel == "messenger" else None
    attachment = content.get("attachment")
    if isinstance(attachment, dict):
        if "text" in content or attachment.get("type") not in ATTACHMENT_TYPES:
            raise Refusal(ERRORS[100], "A message has a text or an attachment of a known type")
        return Checked(recipient, recipient, True, attachment["type"], None, metadata)
    return Checked(recipient, recipient, True, "text", _checked_text(content.get("text"), channel), metadata)


def _checked_text(text: Any, channel: str) -> str:
    if not isinstance(text, str) or not text:
        raise Refusal(ERRORS[131008], "Parameter text['body'] is required")
    length = len(text.encode()) if channel == "instagram" else len(text)
    if length > TEXT_LIMIT[channel]:
        raise Refusal(ERRORS[100], f"Param text['body'] must be at most {TEXT_LIMIT[channel]} characters long.")
    return text
