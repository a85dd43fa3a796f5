"""The media queue calls with what a customer sent beside words.

One worker fetches it from Meta while its address lives, looks at its bytes, and puts it into the bucket. Its outcome is
written down: kept, or refused with the reason that the business sees.
"""

import logging

from shared.abuse.admission import Account, Denied, Grant, Want, admit
from shared.abuse.server_books import ServerBooks
from shared.cloud import objects
from shared.data import credentials, store
from shared.data.store import MediaClaim
from shared.errors import Unavailable
from shared.guard import Request, Response, guard, queue
from shared.messaging.media import MAXIMUM_BYTES, fetch
from shared.safety.media import RefusedMediaError, type_of

log = logging.getLogger("portero")

GUARD = guard(
    queue("media"),
    seconds=55.0,
    secrets=("QUEUE_KEY", "SUPABASE_SECRET_KEY", "META_ACCESS_TOKEN", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("file",),
    # Nobody sends a shop more than twenty pictures in a minute, and who does waits.
    rates=(("contact", 20, 60),),
    writes=("media", "bucket", "usage_ledger", "usage_alerts"),
    store_down="queue",
)

CLAIM_SECONDS = 60
# What so many workers died of is left alone.
ATTEMPTS_AT_MOST = 4
OBJECT_SECONDS = 10.0


@GUARD
def handler(request: Request) -> Response:
    """Claim, fetch, look, keep, settle."""
    tenant, media = request.ids["tenant"], request.ids["media"]
    claim = store.claim_media(tenant, media, CLAIM_SECONDS, request.deadline)
    if claim.state != "claimed":
        return Response(body={"outcome": claim.state})
    try:
        media_type, size = _take(tenant, media, claim, request)
    except RefusedMediaError as refused:
        log.info("media refused", extra={"reason": refused.reason})
        store.settle_media(tenant, media, claim.fence, "refused", request.deadline, reason=refused.reason)
        return Response(body={"outcome": "refused"})
    except Unavailable:
        # Given back, so that the queue's next try finds it free.
        store.settle_media(tenant, media, claim.fence, "waiting", request.deadline)
        raise
    store.settle_media(tenant, media, claim.fence, "kept", request.deadline, media_type=media_type, size=size)
    return Response(body={"outcome": "kept"})


def _take(tenant: str, media: str, claim: MediaClaim, request: Request) -> tuple[str, int]:
    """Its media type and its size in bytes, once it lies in the bucket. Raises RefusedMediaError or Unavailable."""
    if claim.attempts > ATTEMPTS_AT_MOST:
        raise RefusedMediaError("unreadable")
    if claim.reference is None:
        raise RefusedMediaError("gone")
    channel = store.channel_facts(tenant, claim.channel_row, request.deadline)
    token = None
    if channel.credential:
        token = credentials.open_sealed(tenant, "access_token", channel.credential, request.deadline)
    with _admitted(tenant, claim, request) as grant:
        data = fetch(channel, claim.reference, token, request.deadline)
        media_type = type_of(claim.kind, data)
        grant.dispatch("files", "file_bytes")
        seconds = min(OBJECT_SECONDS, request.deadline.remaining())
        objects.put("media", f"{tenant}/{media}", data, media_type, seconds)
        grant.spend(files=1, file_bytes=len(data))
    return media_type, len(data)


def _admitted(tenant: str, claim: MediaClaim, request: Request) -> Grant:
    """One file of the business's, as large as it may be until its size is known. Raises as above."""
    assert claim.budget is not None
    account = Account(claim.budget, ServerBooks(tenant, request.deadline))
    meters = {"files": (1, 1), "file_bytes": (1, MAXIMUM_BYTES)}
    grant = admit(request, account, Want("meta", meters, contact=claim.contact))
    if isinstance(grant, Denied):
        if grant.passes:
            raise Unavailable(f"denied_{grant.reason}", grant.retry_after or 60)
        raise RefusedMediaError("over_budget")
    return grant
