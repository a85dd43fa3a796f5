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
from shared.cloud.parameters import current
from shared.data.encryption import Sensitive
from shared.data.store import ChannelFacts
from shared.errors import Unavailable
from shared.safety.media import RefusedMediaError
from shared.settings import Secret, Setting, read

MAXIMUM_BYTES = 16 * 1024 * 1024
MAXIMUM_SECONDS, UPLOAD_SECONDS = 5.0, 20.0
REDIRECTS = 3
# Scheme, host and port, and nothing that two readers of an address could read in two ways.
_ADDRESS = re.compile(r"(https?)://([a-z0-9.-]{1,253})(:[0-9]{1,5})?(?:[/?][!-\[\]-~]{0,4000})?")


def fetch(channel: ChannelFacts, reference: str, token: Sensitive | None, deadline: Deadline) -> bytes:
    """The bytes behind a media object or an address. `token` is the channel's own, None where the platform's serves.

    Raises RefusedMediaError (`foreign_address`, `gone`, `too_big`), Unavailable when it may be there later.
    """
    if channel.kind != "whatsapp":
        return _download(reference, {}, deadline)
    bearer = {"authorization": f"Bearer {token.reveal() if token else current(Secret.META_ACCESS_TOKEN)}"}
    told = _describe(reference, bearer, deadline)
    data = _download(str(told.get("url", "")), bearer, deadline)
    digest = hashlib.sha256(data)
    # In hexadecimal where Meta describes an object, in base64 where a webhook does.
    if told.get("sha256") not in (digest.hexdigest(), base64.b64encode(digest.digest()).decode()):
        raise Unavailable("media_damaged")
    return data


def hand_over(channel: ChannelFacts, media_type: str, data: bytes, token: Sensitive | None, deadline: Deadline) -> str:
    """Give WhatsApp a file that is to be sent; what it calls it, for thirty days.

    Raises RefusedMediaError (`not_taken`) for what it does not take, Unavailable when it may later.
    """
    bearer = {"authorization": f"Bearer {token.reveal() if token else current(Secret.META_ACCESS_TOKEN)}"}
    try:
        answer = _connections().post(
            f"{read(Setting.META_GRAPH_URL)}/{channel.external_id}/media",
            headers=bearer,
            data={"messaging_product": "whatsapp", "type": media_type},
            files={"file": ("file", data, media_type)},
            timeout=httpx.Timeout(min(UPLOAD_SECONDS, deadline.remaining()), connect=1.0),
        )
        if answer.status_code == 400:
            raise RefusedMediaError("not_taken")
        if answer.status_code != 200:
            raise Unavailable("provider_unreachable")
        return str(answer.json()["id"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        raise Unavailable("provider_unreachable") from None


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


def _describe(media: str, bearer: dict[str, str], deadline: Deadline) -> dict[str, Any]:
    try:
        answer = _connections().get(
            f"{read(Setting.META_GRAPH_URL)}/{media}", headers=bearer, timeout=_within(deadline)
        )
        _check(answer)
        told = answer.json()
    except (httpx.HTTPError, ValueError):
        raise Unavailable("provider_unreachable") from None
    if not isinstance(told, dict):
        raise Unavailable("provider_unreachable")
    return told


def _download(address: str, headers: dict[str, str], deadline: Deadline) -> bytes:
    """Each step of the way is looked at, and the token goes to the first one only."""
    for _ in range(REDIRECTS + 1):
        if not is_metas(address):
            raise RefusedMediaError("foreign_address")
        try:
            with _connections().stream(
                "GET", address, headers={"accept-encoding": "identity", **headers}, timeout=_within(deadline)
            ) as answer:
                if not answer.is_redirect:
                    _check(answer)
                    return _read(answer, deadline)
                address, headers = answer.headers.get("location", ""), {}
        except httpx.HTTPError:
            raise Unavailable("provider_unreachable") from None
    raise RefusedMediaError("gone")


def _read(answer: httpx.Response, deadline: Deadline) -> bytes:
    received = bytearray()
    for piece in answer.iter_raw():
        received += piece
        if len(received) > MAXIMUM_BYTES:
            raise RefusedMediaError("too_big")
        if deadline.remaining() <= 0:
            raise Unavailable("provider_unreachable")
    return bytes(received)


def _check(answer: httpx.Response) -> None:
    if answer.status_code in (400, 403, 404, 410):
        raise RefusedMediaError("gone")
    if answer.status_code != 200:
        raise Unavailable("provider_unreachable")


def _within(deadline: Deadline) -> httpx.Timeout:
    return httpx.Timeout(min(MAXIMUM_SECONDS, deadline.remaining()), connect=1.0)


@cache
def _connections() -> httpx.Client:
    return httpx.Client()
