"""The console calls when a member gives the assistant a text file to know.

The original goes to the bucket, its passages with embeddings to the database, in place of an earlier file of the same
name. The answer names the file and how many passages it became.
"""

import hashlib
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.abuse.admission import Account, Denied, Want, admit
from shared.abuse.person_books import PersonBooks
from shared.abuse.prices import cost, tokens_at_most
from shared.abuse.rate_limit import fields
from shared.assistant.chunks import cut
from shared.assistant.model import embed, embedding_breaker
from shared.cloud import objects
from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt
from shared.settings import Setting, read

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=512 * 1024,
    seconds=25.0,
    rate=20,
    secrets=("AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("file", "embedding"),
    writes=("knowledge_files", "knowledge_chunks", "bucket", "usage_ledger"),
    store_down="degrade",
)

MEDIA_TYPES = {"txt": "text/plain", "md": "text/markdown"}
PUT_SECONDS = 5.0


class Upload(BaseModel):
    """A text file."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^/\\\x00-\x1f]+\.(txt|md)$")
    text: str = Field(min_length=1, max_length=256 * 1024)


@GUARD
def handler(request: Request) -> Response:
    """Read, cut, be admitted, embed, keep the original, keep the passages."""
    upload = request.body(Upload)
    tenant = str(upload.tenant)
    store = UserStore(request.caller.token, request.deadline)
    # Asked first, so that a stranger's tenant costs neither storage nor embeddings.
    store.tenant(tenant)
    passages = cut(upload.text)
    if not passages:
        raise Problem("nothing_to_know", 422, "text: there is nothing but white space")
    original = upload.text.encode()
    digest = hashlib.sha256(original).hexdigest()
    media_type, key = MEDIA_TYPES[upload.name.rpartition(".")[2]], f"{tenant}/{digest}"
    account = Account(store.budget_facts(tenant), PersonBooks(tenant, store))
    grant = admit(request, account, _want(request.caller.user, passages, len(original)))
    if isinstance(grant, Denied):
        raise grant.problem()
    with grant:
        vectors = embed(passages, grant, request.deadline)
        grant.dispatch("files", "file_bytes")
        objects.put(key, original, media_type, min(PUT_SECONDS, request.deadline.remaining()))
        chunks = [{"body": body, "embedding": vector} for body, vector in zip(passages, vectors, strict=True)]
        file = store.replace_knowledge(tenant, upload.name, media_type, original, digest, key, chunks)
        grant.spend(files=1, file_bytes=len(original))
    return Response(status=201, body={"file": file, "passages": len(passages)}, headers=fields(grant.policies))


def _want(member: str, passages: list[str], size: int) -> Want:
    tokens = tokens_at_most(passages)
    price = cost(read(Setting.EMBEDDING_MODEL), tokens)
    meters = {"ai_microdollars": price, "embedding_tokens": tokens, "files": 1, "file_bytes": size}
    exactly = {meter: (amount, amount) for meter, amount in meters.items()}
    return Want("model", exactly, member=member, breakers=(embedding_breaker(),))
