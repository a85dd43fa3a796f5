"""The console calls when a member gives the assistant a text file to know.

The original goes to the bucket, its passages with embeddings to the database, in place of an earlier file of the same
name. The answer names the file and how many passages it became.
"""

import hashlib
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.assistant.chunks import cut
from shared.assistant.model import embed
from shared.cloud import objects
from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=512 * 1024,
    seconds=25.0,
    rate=20,
    secrets=("AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    writes=("knowledge_files", "knowledge_chunks", "bucket"),
    store_down="refuse",
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
    """Read, cut, embed, keep the original, keep the passages."""
    upload = request.body(Upload)
    tenant = str(upload.tenant)
    store = UserStore(request.caller.token, request.deadline)
    # Asked first, so that a stranger's tenant costs neither storage nor embeddings.
    store.tenant(tenant)
    passages = cut(upload.text)
    if not passages:
        raise Problem("nothing_to_know", 422, "text: there is nothing but white space")
    vectors = embed(passages, request.deadline)
    original = upload.text.encode()
    digest = hashlib.sha256(original).hexdigest()
    media_type = MEDIA_TYPES[upload.name.rpartition(".")[2]]
    key = f"{tenant}/{digest}"
    objects.put(key, original, media_type, min(PUT_SECONDS, request.deadline.remaining()))
    chunks = [{"body": body, "embedding": vector} for body, vector in zip(passages, vectors, strict=True)]
    file = store.replace_knowledge(tenant, upload.name, media_type, original, digest, key, chunks)
    return Response(status=201, body={"file": file, "passages": len(passages)})
