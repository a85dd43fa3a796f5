"""The request as a guarded function sees it. Only the guard layer looks into an event."""

import base64
import binascii
from typing import Any, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import parse_qs

from shared.abuse.allowance import Allowance
from shared.clock import Deadline
from shared.data.storable import is_storable
from shared.errors import Problem, Refused
from shared.guard.strict_json import Malformed, parse, parse_storable

# API Gateway takes 10,240 bytes of request line and headers; the rest is room for what it adds itself.
MAXIMUM_HEADER_BYTES = 16 * 1024
MAXIMUM_QUERY_FIELDS = 50
# How long an event may have waited for an environment to start.
MAXIMUM_WAIT_SECONDS = 30
# Milliseconds since the epoch, in the year 5138. A later time is no time.
MAXIMUM_EPOCH_MILLISECONDS = 10**14

_T = TypeVar("_T")


class Validated(Protocol):
    """What the guard needs of a pydantic model, without importing pydantic."""

    @classmethod
    def model_validate(cls, value: Any, /) -> Self: ...


Model = TypeVar("Model", bound=Validated)


class Caller(NamedTuple):
    """Who passed the guard.

    `user`, `session` and `token` are a signed-in person's. `facts` are what a provider's signature covers beside the
    body, where the scheme has such; `trusted` is false only for a delivery that may be kept but must have no effect.
    """

    kind: str
    user: str = ""
    session: str = ""
    token: str = ""
    facts: dict[str, str] = {}  # noqa: RUF012 (never written to)
    trusted: bool = True

    def __repr__(self) -> str:
        """Without the token and the facts, so that no log or report can hold them."""
        return f"Caller(kind={self.kind!r}, user={self.user!r}, trusted={self.trusted})"


class Request(NamedTuple):
    """One guarded call: a signed webhook, a queue's record, a cron's tick, or a person's call.

    `raw` are the bytes that passed the guard, empty where a scheme does not sign the body; `query` the first value of
    each query field (unsigned, unless in `caller.facts`); `ids` what a queue's envelope carries; `now` the time of
    arrival in seconds since the epoch; `language` the one of ours that a browser asks for ("es", "pt", "en");
    `allowance` what the guard says the call may consume.
    """

    function: str
    caller: Caller
    now: float
    deadline: Deadline
    raw: bytes = b""
    query: dict[str, str] = {}  # noqa: RUF012 (never written to)
    ids: dict[str, str] = {}  # noqa: RUF012 (never written to)
    language: str = ""
    allowance: Allowance = Allowance("")

    def json(self) -> Any:
        """The body as strict JSON. Raises Problem (400) when it is not."""
        try:
            return parse(self.raw)
        except Malformed:
            raise Problem("malformed_json", 400, "The body is not valid JSON.") from None

    def body(self, model: type[Model]) -> Model:
        """The body as a pydantic model.

        Raises Problem: 400 when it is not JSON, 422 for a text that cannot be kept, and naming the fields that do not
        fit.
        """
        value = self.json()
        if not is_storable(value):
            raise Problem("unstorable_text", 422, "A text holds U+0000 or half a surrogate pair.")
        try:
            return model.model_validate(value)
        except ValueError as error:
            raise Problem("body_invalid", 422, _complaints(error)) from None

    def json_repaired(self) -> Any:
        """The same, with U+FFFD for characters that cannot be stored: one bad text must not cost its siblings."""
        try:
            return parse_storable(self.raw)
        except Malformed:
            raise Problem("malformed_json", 400, "The body is not valid JSON.") from None


class HttpCall(NamedTuple):
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


def read_http(event: object, body_limit: int) -> HttpCall:
    """Read the call inside an event; the body's size is checked before the body is decoded.

    Raises Refused: `body_too_large` (413), `headers_too_large` (431), `malformed_event` (400) for a field of another
    shape than API Gateway sends.
    """
    whole = _typed(event, dict)
    http = _typed(_field(whole, "requestContext", dict).get("http"), dict)
    text, encoded = _field(whole, "body", str), _field(whole, "isBase64Encoded", bool)
    if len(text) > (body_limit * 4 // 3 + 4 if encoded else body_limit):
        raise Refused("body_too_large", 413)
    body = _decode(text, encoded)
    if len(body) > body_limit:
        raise Refused("body_too_large", 413)
    headers = {_plain(name).lower(): _plain(value) for name, value in _field(whole, "headers", dict).items()}
    query = _plain(_field(whole, "rawQueryString", str))
    if sum(len(name) + len(value) for name, value in headers.items()) + len(query) > MAXIMUM_HEADER_BYTES:
        raise Refused("headers_too_large", 431)
    return HttpCall(
        method=_plain(http.get("method")),
        headers=headers,
        query=_fields(query),
        body=body,
        source_ip=_field(http, "sourceIp", str),
        origin=headers.get("origin", ""),
    )


def arrival_of(event: dict[str, Any], now: float) -> float:
    """When the call reached the gateway, seconds since the epoch: a cold start does not make a signature older.

    The gateway's time counts only when it is at most half a minute before `now`; otherwise `now` does.
    """
    context = event.get("requestContext")
    milliseconds = context.get("timeEpoch") if isinstance(context, dict) else None
    # An integer of JSON may be too long for a float, so it is compared before it is divided.
    if type(milliseconds) is not int or not 0 <= milliseconds < MAXIMUM_EPOCH_MILLISECONDS:
        return now
    return milliseconds / 1000 if 0 <= now - milliseconds / 1000 <= MAXIMUM_WAIT_SECONDS else now


def _complaints(error: ValueError) -> str:
    """Field and rule of the first three complaints; never the value."""
    found = error.errors(include_input=False)[:3] if hasattr(error, "errors") else []
    return "; ".join(f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in found)[:160]


def _typed(value: object, kind: type[_T]) -> _T:
    """Return the value if it is of this type and no subtype of it (a bool is no int), else raise Refused."""
    if type(value) is not kind:
        raise Refused("malformed_event", 400)
    return value


def _field(whole: dict[str, Any], name: str, kind: type[_T]) -> _T:
    """Return a field, or the type's empty value where it is absent or null."""
    value = whole.get(name)
    return kind() if value is None else _typed(value, kind)


def _plain(value: object) -> str:
    """Return a text that can be encoded: JSON can carry half a surrogate pair, a header cannot."""
    text = _typed(value, str)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Refused("malformed_event", 400) from None
    return text


def _decode(text: str, encoded: bool) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if encoded else text.encode()
    except (binascii.Error, ValueError):
        raise Refused("malformed_event", 400) from None


def _fields(query: str) -> dict[str, list[str]]:
    try:
        return parse_qs(query, keep_blank_values=True, max_num_fields=MAXIMUM_QUERY_FIELDS, errors="strict")
    except ValueError:
        raise Refused("malformed_event", 400) from None
