"""Files on their way from and to Meta: fetched only from its own addresses, and no more than is kept.

WhatsApp names a media object, whose address lives for five minutes and wants the token (Cloud API, "Media"); Messenger
and Instagram give the address itself, which anybody could have written if anybody could sign a webhook.
"""

import base64
import hashlib
import re
from functools import cache
from typing import Any

import httpx

from shared.clock import Deadline
from shared.data.encryption import Sensitive
from shared.data.store import ChannelFacts
from shared.errors import Unavailable
from shared.messaging.access import bearer, error_of
from shared.safety.media import MAX_MEDIA_BYTES, Reason, RefusedMediaError
from shared.settings import Setting, read

MAXIMUM_BYTES = MAX_MEDIA_BYTES
MAXIMUM_SECONDS, UPLOAD_SECONDS = 5.0, 20.0
# Of the Graph API's refusals those that will not pass: no such object, and what is wrong with a file. Others wait.
_FOR_GOOD = frozenset({100, 131009, 131051, 131052, 131053})
REDIRECTS = 3
# Scheme, host and port, and nothing that two readers of an address could read in two ways.
_ADDRESS = re.compile(r"(https?)://([a-z0-9.-]{1,253})(:[0-9]{1,5})?(?:[/?][!-\[\]-~]{0,4000})?")


def fetch(channel: ChannelFacts, reference: str, token: Sensitive | None, most: int, deadline: Deadline) -> bytes:
    """The bytes behind a media object or an address, at most so many. `token`: messaging/access.py.

    Raises RefusedMediaError (`foreign_address`, `gone`, `too_big`), Unavailable when it may be there later.
    """
    if channel.kind != "whatsapp":
        return _download(reference, {}, most, deadline)
    try:
        answer = _connections().get(
            f"{read(Setting.META_GRAPH_URL)}/{reference}", headers=bearer(token), timeout=_within(deadline)
        )
    except httpx.HTTPError:
        raise Unavailable("provider_unreachable") from None
    told = _told(answer, "gone")
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
    try:
        answer = _connections().post(
            f"{read(Setting.META_GRAPH_URL)}/{channel.external_id}/media",
            headers=bearer(token),
            data={"messaging_product": "whatsapp", "type": media_type},
            files={"file": ("file", data, media_type)},
            timeout=httpx.Timeout(min(UPLOAD_SECONDS, deadline.remaining()), connect=1.0),
        )
    except httpx.HTTPError:
        raise Unavailable("provider_unreachable") from None
    reference = _told(answer, "not_taken").get("id")
    if not isinstance(reference, str):
        raise Unavailable("provider_answer_malformed")
    return reference


def is_metas(address: str) -> bool:
    """Whether an address leads to one of the hosts that Meta serves media from (MEDIA_HOSTS)."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return False
    scheme, host, port = found.groups(default="")
    known = read(Setting.MEDIA_HOSTS).split()
    if f"{scheme}://{host}{port}" in known:
        return True
    domains = tuple(origin.removeprefix("https://*") for origin in known if origin.startswith("https://*."))
    return scheme == "https" and not port and host.endswith(domains)


def _told(answer: httpx.Response, refusal: Reason) -> dict[str, Any]:
    """What the Graph API says. Raises RefusedMediaError for what it refuses for good, else Unavailable."""
    if answer.status_code in (404, 410) or error_of(answer).get("code") in _FOR_GOOD:
        raise RefusedMediaError(refusal)
    if answer.status_code != 200:
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
        try:
            with _connections().stream(
                "GET", address, headers={"accept-encoding": "identity", **headers}, timeout=_within(deadline)
            ) as answer:
                if not answer.is_redirect:
                    return _read(answer, most, deadline)
                address, headers = answer.headers.get("location", ""), {}
        except httpx.HTTPError:
            raise Unavailable("provider_unreachable") from None
    raise RefusedMediaError("gone")


def _read(answer: httpx.Response, most: int, deadline: Deadline) -> bytes:
    # An address that has expired is 403.
    if answer.status_code in (400, 403, 404, 410):
        raise RefusedMediaError("gone")
    if answer.status_code != 200:
        raise Unavailable("provider_unreachable")
    received = bytearray()
    for piece in answer.iter_raw():
        received += piece
        if len(received) > most:
            raise RefusedMediaError("too_big")
        if deadline.remaining() <= 0:
            raise Unavailable("provider_unreachable")
    return bytes(received)


def _within(deadline: Deadline) -> httpx.Timeout:
    return httpx.Timeout(min(MAXIMUM_SECONDS, deadline.remaining()), connect=1.0)


@cache
def _connections() -> httpx.Client:
    return httpx.Client()
