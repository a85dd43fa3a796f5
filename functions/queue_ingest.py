"""The ingest queue calls with a file that the assistant is to know.

One worker claims it, has it read by a function of its own, and puts its passages in place of those of an earlier file
of that name. Its outcome is written down: ready, or refused with the reason that its owner sees.
"""

import hashlib
import logging

from shared import metrics
from shared.abuse.admission import Account, Denied, Want, admit
from shared.abuse.prices import cost, tokens_at_most
from shared.abuse.server_books import ServerBooks
from shared.assistant.gate import is_safe
from shared.assistant.model import embed, embedding_breaker
from shared.cloud import objects
from shared.data import files
from shared.data.files import FileClaim
from shared.errors import Unavailable
from shared.guard import Request, Response, guard, queue
from shared.knowledge.chunks import cut
from shared.knowledge.kinds import kind_of
from shared.knowledge.reader import text_of
from shared.knowledge.refusal import RefusedFileError
from shared.settings import Setting, read

log = logging.getLogger("portero")

GUARD = guard(
    queue("ingest"),
    seconds=55.0,
    secrets=("QUEUE_KEY", "SUPABASE_SECRET_KEY", "AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("embedding",),
    writes=(
        "knowledge_files",
        "knowledge_chunks",
        "bucket",
        "usage_ledger",
        "usage_alerts",
        "provider_budgets",
        "tenant_budgets",
        "usage_holds",
    ),
    store_down="queue",
)

CLAIM_SECONDS = 60
# A file that so many workers died of is left alone.
ATTEMPTS_AT_MOST = 4
# A try of the reader, from its cold start to its answer, takes 40 s at most.
OBJECT_SECONDS, READING_SECONDS = 10.0, 41.0


@GUARD
def handler(request: Request) -> Response:
    """Claim, read, cut, embed, settle; then the objects that nothing names any more.

    An object that is not there is waited for until its form has expired.
    """
    tenant, file = request.ids["tenant"], request.ids["file"]
    claim = files.claim_file(tenant, file, CLAIM_SECONDS, request.deadline)
    if claim.state != "claimed":
        return Response(body={"outcome": claim.state})
    try:
        gone, outcome = _take(tenant, file, claim, request)
    except RefusedFileError as refused:
        gone = files.settle_file(tenant, file, claim.fence, "refused", request.deadline, reason=refused.reason)
        outcome = "refused"
        log.info("file refused", extra={"reason": refused.reason})
    except Unavailable as problem:
        if claim.is_late:
            files.settle_file(tenant, file, claim.fence, "refused", request.deadline, reason="given_up")
            log.error("file given up", extra={"problem": problem.name})
            return Response(body={"outcome": "refused"})
        # Given back, so that the queue's next try finds it free.
        files.settle_file(tenant, file, claim.fence, "waiting", request.deadline)
        raise
    for key in gone:
        objects.delete("knowledge", key, min(OBJECT_SECONDS, request.deadline.remaining()))
    return Response(body={"outcome": outcome})


def _take(tenant: str, file: str, claim: FileClaim, request: Request) -> tuple[list[str], str]:
    """The passages of a file, without those that hold orders. Raises RefusedFileError or Unavailable."""
    if claim.attempts > ATTEMPTS_AT_MOST:
        raise RefusedFileError("unreadable")
    data = objects.get("knowledge", claim.object_key, min(OBJECT_SECONDS, request.deadline.remaining()))
    if data is None:
        return _without_object(tenant, file, claim, request)
    if len(data) > claim.bytes:
        raise RefusedFileError("too_big")
    text = text_of(kind_of(claim.name), claim.object_key, min(READING_SECONDS, request.deadline.remaining()))
    passages = cut(text)
    safe = [passage for passage in passages if is_safe(passage)]
    vectors = _embedded(tenant, claim, safe, request)
    gone = files.settle_file(
        tenant,
        file,
        claim.fence,
        "ready",
        request.deadline,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        withheld=len(passages) - len(safe),
        chunks=[{"body": body, "embedding": vector} for body, vector in zip(safe, vectors, strict=True)],
    )
    return gone, "ready"


def _without_object(tenant: str, file: str, claim: FileClaim, request: Request) -> tuple[list[str], str]:
    """Give back a file that may still come; else raise RefusedFileError."""
    if not claim.is_expired:
        return files.settle_file(tenant, file, claim.fence, "waiting", request.deadline), "awaited"
    if claim.is_announced:
        # Either the member's upload failed, or our role lacks s3:GetObject: then many files end like this at once.
        metrics.note_missing_object()
        log.error("object missing or forbidden", extra={"bucket": "knowledge"})
    raise RefusedFileError("missing")


def _embedded(tenant: str, claim: FileClaim, passages: list[str], request: Request) -> list[list[float]]:
    """A vector for each passage, paid by the business. Raises Unavailable where that has to wait."""
    assert claim.budget is not None
    tokens = tokens_at_most(passages)
    meters = {"ai_microdollars": cost(read(Setting.EMBEDDING_MODEL), tokens), "embedding_tokens": tokens}
    account = Account(claim.budget, ServerBooks(tenant, request.deadline))
    exactly = {meter: (amount, amount) for meter, amount in meters.items()}
    grant = admit(request, account, Want("model", exactly, breakers=(embedding_breaker(),)))
    if isinstance(grant, Denied):
        raise Unavailable(f"denied_{grant.reason}", grant.retry_after or 60)
    with grant:
        return embed(passages, grant, request.deadline)
