"""The request as a guarded function sees it. Only the guard layer looks into an event."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import parse_qs

from shared.clock import Deadline
from shared.errors import Problem, Refused
from shared.guard.strict_json import Malformed, parse, storable


class Validated(Protocol):
    """What the guard needs of a pydantic model, without importing pydantic."""

    @classmethod
    def model_validate(cls, value: Any, /) -> Self: ...


Model = TypeVar("Model", bound=Validated)


@dataclass(frozen=True)
class Caller:
    """Who passed the guard. `user` and `token` are set for a signed-in user only."""

    kind: str
    user: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Request:
    """One guarded call: a signed webhook, a queue's record, a cron's tick, or a user's call.

    `raw` are the bytes that passed the guard; `ids` what a queue's envelope carries; `now` the time of arrival in
    seconds since the epoch.
    """

    function: str
    caller: Caller
    now: float
    deadline: Deadline
    raw: bytes = b""
    ids: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as strict JSON. Raises Problem (400) when it is not."""
        try:
            value = parse(self.raw)
        except Malformed:
            raise Problem("malformed_json", 400, "The body is not valid JSON.") from None
        return value

    def body(self, model: type[Model]) -> Model:
        """The body as a pydantic model.

        Raises Problem: 400 when it is not JSON, 422 naming the fields that do not fit.
        """
        value = self.json()
        if storable(value) != value:
            raise Problem("unstorable_text", 422, "A text holds U+0000 or half a surrogate pair.")
        try:
            return model.model_validate(value)
        except ValueError as error:
            raise Problem("body_invalid", 422, _complaints(error)) from None

    def json_repaired(self) -> Any:
        """The same, with characters that cannot be stored taken out: one bad text must not cost its siblings."""
        return storable(self.json())


def _complaints(error: ValueError) -> str:
    """Field and rule of the first three complaints; never the value."""
    found = error.errors(include_input=False)[:3] if hasattr(error, "errors") else []
    return "; ".join(f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in found)


@dataclass(frozen=True)
class HttpCall:
    """What the guard reads of an API Gateway event (HTTP API, payload 2.0) before it trusts anything."""

    method: str
    headers: dict[str, str]
    query: dict[str, list[str]]
    body: bytes
    source_ip: str
    origin: str

    def header(self, name: str) -> str:
        """One header's value, or an empty string. Equal headers arrive joined by a comma, as the gateway does."""
        return self.headers.get(name, "")


def read_http(event: dict[str, Any], body_limit: int) -> HttpCall:
    """The call inside an event; the body's size is looked at before the body is.

    Raises Refused: `body_too_large` (413), `malformed_event` (400).
    """
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    if not isinstance(http, dict):
        raise Refused("malformed_event", 400)
    text = event.get("body") or ""
    encoded = bool(event.get("isBase64Encoded"))
    if len(text) > (body_limit * 4 // 3 + 4 if encoded else body_limit):
        raise Refused("body_too_large", 413)
    body = _decode(text, encoded)
    if len(body) > body_limit:
        raise Refused("body_too_large", 413)
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    return HttpCall(
        method=str(http.get("method", "")),
        headers=headers,
        query=parse_qs(str(event.get("rawQueryString") or ""), keep_blank_values=True, max_num_fields=50),
        body=body,
        source_ip=str(http.get("sourceIp", "")),
        origin=headers.get("origin", ""),
    )


def _decode(text: str, encoded: bool) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if encoded else text.encode()
    except (binascii.Error, ValueError):
        raise Refused("malformed_event", 400) from None
