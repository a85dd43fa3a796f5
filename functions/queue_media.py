"""The media queue calls with what is sent beside words, in either direction.

One worker fetches from Meta what a customer sent, or hands over to it what a person sends, and looks at its bytes. Its
outcome is written down: kept, or refused with the reason that the business sees.
"""

import logging
from typing import NamedTuple

from shared import metrics
from shared.abuse.admission import Account, Denied, Grant, Want, admit
from shared.abuse.server_books import ServerBooks
from shared.cloud import objects
from shared.data import media as rows
from shared.data import store
from shared.data.encryption import Sensitive
from shared.data.media import MediaClaim
from shared.data.store import ChannelFacts
from shared.errors import Unavailable
from shared.guard import Request, Response, guard, queue
from shared.messaging.access import token_of
from shared.messaging.media import MAXIMUM_BYTES, fetch, hand_over
from shared.messaging.wake import wake_sends
from shared.safety.media import RefusedMediaError, type_of

log = logging.getLogger("portero")

GUARD = guard(
    queue("media"),
    seconds=55.0,
    secrets=("QUEUE_KEY", "SUPABASE_SECRET_KEY", "META_ACCESS_TOKEN", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("file",),
    # Nobody sends a shop more than twenty pictures in a minute, and who does waits.
    rates=(("contact", 20, 60),),
    writes=(
        "media",
        "bucket",
        "messages",
        "outbox",
        "usage_ledger",
        "usage_alerts",
        "provider_budgets",
        "tenant_budgets",
        "usage_holds",
    ),
    store_down="queue",
)

CLAIM_SECONDS = 60
# What so many workers died of is left alone.
ATTEMPTS_AT_MOST = 4
OBJECT_SECONDS = 10.0


@GUARD
def handler(request: Request) -> Response:
    """Claim, fetch or hand over, settle; wake the message that waited for it."""
    tenant, media = request.ids["tenant"], request.ids["media"]
    claim = rows.claim_media(tenant, media, CLAIM_SECONDS, request.deadline)
    if claim.state != "claimed":
        return Response(body={"outcome": claim.state})
    try:
        taken = _take(tenant, media, claim, request)
    except _AwaitedError:
        rows.settle_media(tenant, media, claim.fence, "waiting", request.deadline)
        return Response(body={"outcome": "awaited"})
    except RefusedMediaError as refused:
        log.info("media refused", extra={"reason": refused.reason})
        rows.settle_media(tenant, media, claim.fence, "refused", request.deadline, reason=refused.reason)
        return Response(body={"outcome": "refused"})
    except Unavailable:
        # Given back, so that the queue's next try finds it free.
        rows.settle_media(tenant, media, claim.fence, "waiting", request.deadline)
        raise
    freed = rows.settle_media(
        tenant,
        media,
        claim.fence,
        "kept",
        request.deadline,
        media_type=taken.media_type,
        size=taken.size,
        reference=taken.reference,
    )
    if freed:
        wake_sends([(tenant, freed.outbox, freed.conversation)], media, request.deadline)
    return Response(body={"outcome": "kept"})


class _AwaitedError(Exception):
    """What a person sends has not come to the bucket yet, and its form is still valid."""


class Taken(NamedTuple):
    """What lies in the bucket; `size` in bytes, `reference` as WhatsApp calls what goes out."""

    media_type: str
    size: int
    reference: str | None = None


def _take(tenant: str, media: str, claim: MediaClaim, request: Request) -> Taken:
    """Raises RefusedMediaError, _AwaitedError or Unavailable."""
    if claim.attempts > ATTEMPTS_AT_MOST:
        raise RefusedMediaError("unreadable")
    if claim.is_late:
        raise RefusedMediaError("missing" if claim.goes_out else "gone")
    channel = store.channel_facts(tenant, claim.channel_row, request.deadline)
    token = token_of(tenant, channel.credential, request.deadline)
    key = f"{tenant}/{media}"
    if claim.goes_out:
        return _out(key, claim, channel, token, request)
    return _in(tenant, key, claim, channel, token, request)


def _in(
    tenant: str, key: str, claim: MediaClaim, channel: ChannelFacts, token: Sensitive | None, request: Request
) -> Taken:
    """What a customer sent, from Meta into the bucket."""
    if claim.reference is None:
        raise RefusedMediaError("gone")
    with _admitted(tenant, claim, request) as grant:
        data = _fetched(channel, claim.reference, token, grant, request)
        media_type = type_of(claim.kind, data)
        grant.dispatch("files", "file_bytes")
        objects.put("media", key, data, media_type, min(OBJECT_SECONDS, request.deadline.remaining()))
        grant.spend(files=1, file_bytes=len(data))
    return Taken(media_type, len(data))


def _fetched(channel: ChannelFacts, reference: str, token: Sensitive | None, grant: Grant, request: Request) -> bytes:
    """As many bytes as the business has left."""
    most = grant.left("file_bytes")
    try:
        return fetch(channel, reference, token, most, request.deadline)
    except RefusedMediaError as refused:
        if refused.reason == "too_big" and most < MAXIMUM_BYTES:
            raise RefusedMediaError("over_budget") from None
        raise


def _out(key: str, claim: MediaClaim, channel: ChannelFacts, token: Sensitive | None, request: Request) -> Taken:
    """What a person sends, from the bucket to WhatsApp; a page fetches it itself when the message leaves."""
    data = objects.get("media", key, min(OBJECT_SECONDS, request.deadline.remaining()), MAXIMUM_BYTES)
    if data is None and not claim.is_expired:
        raise _AwaitedError
    if data is None:
        # Either the person's upload failed, or our role lacks s3:GetObject: then many end like this at once.
        metrics.note_missing_object()
        log.error("object missing or forbidden", extra={"bucket": "media"})
        raise RefusedMediaError("missing")
    if type_of(claim.kind, data) != claim.media_type or len(data) != claim.bytes:
        raise RefusedMediaError("kind_differs")
    if channel.kind != "whatsapp":
        return Taken(claim.media_type, len(data))
    return Taken(claim.media_type, len(data), hand_over(channel, claim.media_type, data, token, request.deadline))


def _admitted(tenant: str, claim: MediaClaim, request: Request) -> Grant:
    """One file of the business's, as large as it may be until its size is known. Raises as above."""
    assert claim.budget is not None
    account = Account(claim.budget, ServerBooks(tenant, request.deadline))
    meters = {"files": (1, 1), "file_bytes": (1, MAXIMUM_BYTES)}
    grant = admit(request, account, Want("meta", meters, contact=claim.contact))
    if isinstance(grant, Denied):
        # What an operator has stopped goes on when it is let go again.
        if grant.passes or grant.reason == "stopped":
            raise Unavailable(f"denied_{grant.reason}", grant.retry_after or 60)
        raise RefusedMediaError("over_budget")
    return grant
