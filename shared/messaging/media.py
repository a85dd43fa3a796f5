"""Files on their way from and to Meta: fetched only from its own addresses, and no more than is kept.

WhatsApp names a media object, whose address lives for five minutes and wants the token (Cloud API, "Media"); Messenger
and Instagram give the address itself, which anybody could have written if anybody could sign a webhook.
"""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import quote

from shared.clock import Deadline
from shared.cloud import transport
from shared.cloud.destinations import admitted
from shared.cloud.transport import Answer
from shared.data.encryption import Sensitive
from shared.data.store import ChannelFacts
from shared.errors import Unavailable
from shared.messaging.access import MAX_GRAPH_BYTES, bearer, error_of
from shared.safety.media import MAX_MEDIA_BYTES, Reason, RefusedMediaError
from shared.settings import Setting, read_url

MAXIMUM_BYTES = MAX_MEDIA_BYTES
MAXIMUM_SECONDS, UPLOAD_SECONDS = 5.0, 20.0
# Of the Graph API's refusals those that will not pass: no such object, and what is wrong with a file. Others wait.
_FOR_GOOD = frozenset({100, 131009, 131051, 131052, 131053})
REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_ADDRESS = 4000  # characters


def fetch(channel: ChannelFacts, reference: str, token: Sensitive | None, most: int, deadline: Deadline) -> bytes:
    """The bytes behind a media object or an address, at most so many. `token`: messaging/access.py.

    Raises RefusedMediaError (`foreign_address`, `gone`, `too_big`), Unavailable when it may be there later.
    """
    if channel.kind != "whatsapp":
        return _download(reference, {}, most, deadline)
    path = quote(reference, safe="")
    told = _told(_ask_graph("GET", path, bearer(token), b"", MAXIMUM_SECONDS, deadline), "gone")
    data = _download(str(told.get("url", "")), bearer(token), most, deadline)
    digest = hashlib.sha256(data)
    # In hexadecimal where Meta describes an object, in base64 where a webhook does.
    if told.get("sha256") not in (digest.hexdigest(), base64.b64encode(digest.digest()).decode()):
        raise Unavailable("media_damaged")
    return data


def hand_over(channel: ChannelFacts, media_type: str, data: bytes, token: Sensitive | None, deadline: Deadline) -> str:
    """Give WhatsApp a file that is to be sent; what it calls it, for thirty days.

    Raises RefusedMediaError (`not_taken`) for what it does not take, Unavailable when it may later.
    """
    form_type, body = _form({"messaging_product": "whatsapp", "type": media_type}, media_type, data)
    headers = bearer(token) | {"content-type": form_type}
    answer = _ask_graph("POST", f"{channel.external_id}/media", headers, body, UPLOAD_SECONDS, deadline)
    reference = _told(answer, "not_taken").get("id")
    if not isinstance(reference, str):
        raise Unavailable("provider_answer_malformed")
    return reference


def is_metas(address: str) -> bool:
    """Whether an address leads to one of the hosts that Meta serves media from (MEDIA_HOSTS)."""
    return len(address) <= MAX_ADDRESS and admitted(Setting.MEDIA_HOSTS, address) is not None


def _ask_graph(
    method: str, path: str, headers: dict[str, str], body: bytes, most_seconds: float, deadline: Deadline
) -> Answer:
    """Raises Unavailable (`provider_unreachable`)."""
    url = f"{read_url(Setting.META_GRAPH_URL)}/{path}"
    seconds = min(most_seconds, deadline.remaining())
    try:
        return transport.send(
            Setting.META_GRAPH_URL, method, url, headers, body, seconds, max_bytes=MAX_GRAPH_BYTES, repeat=False
        )
    except Unavailable:
        raise Unavailable("provider_unreachable") from None


def _form(fields: dict[str, str], media_type: str, data: bytes) -> tuple[str, bytes]:
    """The type and the bytes of a form with one file (RFC 7578). The values are our own, and hold no quotes."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    disposition = 'content-disposition: form-data; name="file"; filename="file"'
    parts.append(f"--{boundary}\r\n{disposition}\r\ncontent-type: {media_type}\r\n\r\n")
    body = b"".join(["".join(parts).encode(), data, f"\r\n--{boundary}--\r\n".encode()])
    return f"multipart/form-data; boundary={boundary}", body


def _told(answer: Answer, refusal: Reason) -> dict[str, Any]:
    """What the Graph API says. Raises RefusedMediaError for what it refuses for good, else Unavailable."""
    if answer.status in (404, 410) or error_of(answer).get("code") in _FOR_GOOD:
        raise RefusedMediaError(refusal)
    if answer.status != 200:
        raise Unavailable("provider_unreachable")
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Unavailable("provider_answer_malformed")
    return told


def _download(address: str, headers: dict[str, str], most: int, deadline: Deadline) -> bytes:
    """Each step of the way is looked at, and the token goes to the first one only."""
    for _ in range(REDIRECTS + 1):
        if not is_metas(address):
            raise RefusedMediaError("foreign_address")
        seconds = min(MAXIMUM_SECONDS, deadline.remaining())
        try:
            answer = transport.send(Setting.MEDIA_HOSTS, "GET", address, headers, b"", seconds, max_bytes=most)
        except transport.TooLargeAnswer:
            raise RefusedMediaError("too_big") from None
        except Unavailable:
            raise Unavailable("provider_unreachable") from None
        if answer.status not in _REDIRECTS:
            return _content(answer)
        address, headers = answer.headers.get("location", ""), {}
    raise RefusedMediaError("gone")


def _content(answer: Answer) -> bytes:
    # An address that has expired is 403.
    if answer.status in (400, 403, 404, 410):
        raise RefusedMediaError("gone")
    if answer.status != 200:
        raise Unavailable("provider_unreachable")
    return answer.body
