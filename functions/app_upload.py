"""The console calls when a member gives the assistant something to know, or takes it away.

A short text becomes passages at once; a file gets a form for the bucket, and once it lies there a worker reads it. The
answer names the file, and what is to be done or what has become of it.
"""

import hashlib
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.abuse import uploads
from shared.abuse.admission import Account, Denied, Want, admit
from shared.abuse.person_books import PersonBooks
from shared.abuse.prices import cost, tokens_at_most
from shared.abuse.rate_limit import fields
from shared.assistant.model import embed, embedding_breaker
from shared.cloud import objects
from shared.data.rows import Offered
from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt
from shared.knowledge.chunks import cut
from shared.knowledge.kinds import KINDS, MAXIMUM_BYTES, kind_of
from shared.messaging.wake import wake_files
from shared.settings import Setting, read

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=512 * 1024,
    seconds=25.0,
    rate=20,
    secrets=("AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN", "QUEUE_KEY"),
    consumes=("file", "embedding"),
    writes=(
        "knowledge_files",
        "knowledge_chunks",
        "bucket",
        "usage_ledger",
        "audit_log",
        "provider_budgets",
        "tenant_budgets",
    ),
    store_down="degrade",
)

OBJECT_SECONDS = 5.0


class Upload(BaseModel):
    """A `name` with the `text` of it, or with the `size` of a file to come in bytes; or a `file` that has come.

    With `remove` that file goes.
    """

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    name: str | None = Field(default=None, min_length=1, max_length=200, pattern=r"^[^/\\\x00-\x1f]+\.[A-Za-z]{2,5}$")
    text: str | None = Field(default=None, min_length=1, max_length=256 * 1024)
    size: int | None = Field(default=None, ge=1, le=MAXIMUM_BYTES)
    file: UUID | None = None
    remove: bool = False

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        named = [self.text is not None, self.size is not None, self.file is not None]
        if sum(named) != 1 or (self.name is None) != (self.file is not None) or (self.remove and self.file is None):
            raise ValueError("give a name and text, a name and size, or a file")
        if self.name is not None and kind_of(self.name) not in (("txt", "md") if self.text is not None else KINDS):
            raise ValueError("name: this kind of file is not read")
        return self


@GUARD
def handler(request: Request) -> Response:
    """Take a text, offer a form, wake the worker, or remove."""
    upload = request.body(Upload)
    tenant = str(upload.tenant)
    store = UserStore(request.caller.token, request.deadline)
    # Asked first, so that a stranger's tenant costs neither storage nor embeddings.
    store.tenant(tenant)
    if upload.file is not None:
        return _remove(request, store, upload) if upload.remove else _finish(request, store, upload)
    if upload.size is not None:
        return _offer(request, store, upload)
    return _keep_text(request, store, upload)


def _offer(request: Request, store: UserStore, upload: Upload) -> Response:
    """A row that waits for its file, and the form for it."""
    tenant, name, size = str(upload.tenant), upload.name or "", upload.size or 0
    media_type = KINDS[kind_of(name)]

    def keep() -> Offered:
        kept = store.offer_file(tenant, name, media_type, size)
        if kept.refused is not None:
            raise Problem(kept.refused, 409, "Twenty files wait already: let them be read first.")
        return kept

    wanted = uploads.Upload("knowledge", media_type, size, "model")
    kept, form, left = uploads.offer(request, store, tenant, request.caller.user, wanted, keep)
    return Response(status=201, body={"file": kept.file, "state": "awaited", "form": form}, headers=left)


def _finish(request: Request, store: UserStore, upload: Upload) -> Response:
    tenant, file = str(upload.tenant), str(upload.file)
    state = store.finish_upload(tenant, file)
    if state == "waiting":
        wake_files([(tenant, file)], "uploaded", request.deadline)
    return Response(status=202, body={"file": file, "state": state})


def _remove(request: Request, store: UserStore, upload: Upload) -> Response:
    """First what the assistant knows, then the original: what fails in between is known to nobody."""
    key = store.remove_file(str(upload.tenant), str(upload.file))
    objects.delete("knowledge", key, min(OBJECT_SECONDS, request.deadline.remaining()))
    return Response(body={"file": str(upload.file), "state": "removed"})


def _keep_text(request: Request, store: UserStore, upload: Upload) -> Response:
    """Cut, be admitted, embed, keep the original, keep the passages in place of those of the same name."""
    tenant, name, text = str(upload.tenant), upload.name or "", upload.text or ""
    passages = cut(text)
    if not passages:
        raise Problem("nothing_to_know", 422, "text: there is nothing but white space")
    original = text.encode()
    digest = hashlib.sha256(original).hexdigest()
    # Of the name too: two files with the same text have an object each, so that either can go.
    media_type = KINDS[kind_of(name)]
    key = f"{tenant}/{hashlib.sha256(name.encode() + bytes(1) + original).hexdigest()}"
    before = store.object_of(tenant, name)
    account = Account(store.budget_facts(tenant), PersonBooks(tenant, store))
    grant = admit(request, account, _want(request.caller.user, passages, len(original)))
    if isinstance(grant, Denied):
        raise grant.problem()
    with grant:
        vectors = embed(passages, grant, request.deadline)
        grant.dispatch("files", "file_bytes")
        objects.put("knowledge", key, original, media_type, min(OBJECT_SECONDS, request.deadline.remaining()))
        chunks = [{"body": body, "embedding": vector} for body, vector in zip(passages, vectors, strict=True)]
        file = store.replace_knowledge(tenant, name, media_type, original, digest, key, chunks)
        grant.spend(files=1, file_bytes=len(original))
    if before is not None and before != key:
        objects.delete("knowledge", before, min(OBJECT_SECONDS, request.deadline.remaining()))
    return Response(status=201, body={"file": file, "passages": len(passages)}, headers=fields(grant.policies))


def _want(member: str, passages: list[str], size: int) -> Want:
    tokens = tokens_at_most(passages)
    price = cost(read(Setting.EMBEDDING_MODEL), tokens)
    meters = {"ai_microdollars": price, "embedding_tokens": tokens, "files": 1, "file_bytes": size}
    exactly = {meter: (amount, amount) for meter, amount in meters.items()}
    return Want("model", exactly, member=member, breakers=(embedding_breaker(),))
