"""Asking Meta whether a number or a page still works: its access token, its subscription, the version of the API.

A subscription ends in silence (Messenger and Instagram drop an app whose webhook failed for an hour), and is renewed
here. Specification: Graph API, `subscribed_apps` of a WhatsApp Business Account, a page, an Instagram account.
"""

import logging
from typing import Any, Literal
from urllib.parse import urlencode

from shared.clock import Deadline
from shared.cloud import transport
from shared.cloud.transport import Answer
from shared.data.encryption import Sensitive
from shared.data.store import ChannelFacts
from shared.errors import Unavailable
from shared.messaging.access import MAX_GRAPH_BYTES, bearer
from shared.settings import Setting, read_optional, read_url

log = logging.getLogger("portero")

Health = Literal["good", "token_refused", "unsubscribed"]
MAXIMUM_SECONDS = 5.0
# What a page or an Instagram account tells us of; a WhatsApp account takes that from the app.
FIELDS = "messages,messaging_postbacks,message_deliveries,message_reads,message_echoes"


def health_of(channel: ChannelFacts, token: Sensitive | None, deadline: Deadline) -> Health:
    """How a channel is found, after its subscription was renewed if it had to be.

    `token` is its own access token, None where the platform's serves. Raises Unavailable (`provider_unreachable`) when
    Meta does not say.
    """
    found = _ask("GET", channel, channel.external_id, token, deadline, fields="id")
    _compare_version(channel, found)
    if not _is_success(found):
        return "token_refused"
    account = channel.account_id if channel.kind == "whatsapp" and channel.account_id else channel.external_id
    apps = _ask("GET", channel, f"{account}/subscribed_apps", token, deadline)
    if _is_success(apps) and _is_subscribed(apps):
        return "good"
    log.error("channel was not subscribed", extra={"channel_kind": channel.kind})
    fields = {} if channel.kind == "whatsapp" else {"subscribed_fields": FIELDS}
    renewed = _ask("POST", channel, f"{account}/subscribed_apps", token, deadline, **fields)
    return "good" if _is_success(renewed) else "unsubscribed"


def _is_success(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def _is_subscribed(answer: Answer) -> bool:
    """Whether our app is in the list; any app, where our own id is not told."""
    try:
        listed: list[dict[str, Any]] = answer.json().get("data") or []
        ids = {str((app.get("whatsapp_business_api_data") or app).get("id", "")) for app in listed}
    except (ValueError, AttributeError, TypeError):
        raise Unavailable("provider_answer_malformed") from None
    own = read_optional(Setting.META_APP_ID)
    return own in ids if own else bool(ids)


def _compare_version(channel: ChannelFacts, answer: Answer) -> None:
    """Meta answers in another version when the one that is asked for has ended: time to change the setting."""
    answered = answer.headers.get("facebook-api-version", "")
    if answered and answered != read_url(_host(channel)).rpartition("/")[2]:
        log.error("graph api version has ended", extra={"answered": answered})


def _ask(
    method: str, channel: ChannelFacts, path: str, token: Sensitive | None, deadline: Deadline, **query: str
) -> Answer:
    url = f"{read_url(_host(channel))}/{path}" + (f"?{urlencode(query)}" if query else "")
    headers, timeout_seconds = bearer(token), min(MAXIMUM_SECONDS, deadline.remaining())
    try:
        answer = transport.send(_host(channel), method, url, headers, b"", timeout_seconds, max_bytes=MAX_GRAPH_BYTES)
    except Unavailable:
        raise Unavailable("provider_unreachable") from None
    if answer.status == 429 or answer.status >= 500:
        raise Unavailable("provider_unreachable")
    return answer


def _host(channel: ChannelFacts) -> Setting:
    return Setting.INSTAGRAM_GRAPH_URL if channel.kind == "instagram" else Setting.META_GRAPH_URL
