"""The send queue calls with a row of the outbox.

One worker claims the row and, if the budget admits it, makes one attempt. What came of it is written down; an attempt
without an answer is not repeated, since the provider's status will tell.
"""

import logging

from shared.abuse.admission import Account, Denied, Grant, Want, admit
from shared.abuse.server_books import ServerBooks
from shared.data import store
from shared.errors import Unavailable
from shared.guard import Request, Response, guard, queue
from shared.messaging.access import token_of
from shared.messaging.sending import PROVIDER, SendOutcome, credential_of, send_message
from shared.privacy import logs
from shared.privacy.pseudonyms import pseudonym

log = logging.getLogger("portero")

GUARD = guard(
    queue("send"),
    seconds=28.0,
    secrets=("QUEUE_KEY", "SUPABASE_SECRET_KEY", "META_ACCESS_TOKEN", "PSEUDONYM_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("send",),
    # Meta takes one message in six seconds of a pair, after a short burst, and eighty a second of a number.
    rates=(("contact", 10, 60), ("channel", 80, 1)),
    writes=(
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
UNREADABLE_DELAY = 300
LONGEST_DELAY = 86_400
SPENT_DELAY = 3600


@GUARD
def handler(request: Request) -> Response:
    """Claim, look at the 24 h window, open the number's own token, be admitted, say that it leaves, send, settle."""
    tenant, outbox = request.ids["tenant"], request.ids["outbox"]
    claim = store.claim_outbox(tenant, outbox, CLAIM_SECONDS, request.deadline)
    if claim.state != "claimed":
        return Response(body={"outcome": claim.state})
    if claim.recipient is not None:
        # By this support finds a customer who gives a number: docs/operations.md.
        logs.carry(contact=pseudonym("contact", claim.recipient.phone or claim.recipient.id))
    sent = _attempt(claim, tenant, outbox, request)
    if sent is None:
        # A person took over, or the customer said stop, while this was on its way; it is settled.
        return Response(body={"outcome": "overtaken"})
    store.settle_outbox(
        tenant,
        outbox,
        claim.fence,
        sent.result,
        request.deadline,
        provider_id=sent.provider_id,
        error=sent.error,
        delay=sent.delay,
    )
    return Response(body={"outcome": sent.result, "reason": sent.error, "attempts": claim.attempts})


def _attempt(claim: store.OutboxClaim, tenant: str, outbox: str, request: Request) -> SendOutcome | None:
    if not claim.window_open and claim.template is None:
        return SendOutcome("failed", error="outside_window")
    try:
        token = token_of(tenant, claim.credential, request.deadline)
    except Unavailable as problem:
        # Never the platform's token instead: it is somebody else's account. The row waits, and an alarm looks here.
        log.error("credential unreadable", extra={"problem": problem.name})
        return SendOutcome("later", error="credential_unreadable", delay=UNREADABLE_DELAY)
    grant = _admit(claim, tenant, request)
    if isinstance(grant, Denied):
        # Nothing is lost: the row stays in the outbox and is tried again.
        delay = min(LONGEST_DELAY, grant.retry_after or SPENT_DELAY)
        return SendOutcome("later", error=f"denied_{grant.reason}", delay=delay)
    with grant:
        if not store.dispatch_outbox(tenant, outbox, claim.fence, request.deadline):
            grant.spend(sends=0)
            return None
        return send_message(claim, outbox, token, grant, request.deadline)


def _admit(claim: store.OutboxClaim, tenant: str, request: Request) -> Grant | Denied:
    """One message; the provider's health and that of this number's own credential are kept apart."""
    assert claim.budget is not None
    account = Account(claim.budget, ServerBooks(tenant, request.deadline))
    want = Want(
        "meta",
        {"sends": (1, 1)},
        contact=claim.contact,
        channel=claim.channel_row,
        breakers=(PROVIDER,),
        own_breakers=(credential_of(claim.channel_id),),
    )
    return admit(request, account, want)
