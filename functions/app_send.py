"""The console calls when a person writes to a customer, or sends them a file.

The message is kept and its row of the outbox with it, and the send queue gets its id; the conversation is the person's
from then on. The answer names the row; for a file it is a form for the bucket, and the message leaves after app_media.
"""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.abuse.uploads import Upload, offer
from shared.data.rows import OfferedMedia
from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt
from shared.messaging.wake import wake_sends
from shared.safety.media import MAX_MEDIA_BYTES, SENT, most_bytes

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=10.0,
    rate=30,
    secrets=("UPSTASH_REDIS_REST_TOKEN", "QUEUE_KEY"),
    consumes=("file",),
    writes=(
        "conversations",
        "messages",
        "outbox",
        "media",
        "bucket",
        "usage_ledger",
        "audit_log",
        "provider_budgets",
        "tenant_budgets",
    ),
    store_down="refuse",
)

REFUSALS = {
    "outside_window": "The customer last wrote more than 24 hours ago; only WhatsApp takes something now, an approved "
    "template.",
    "opted_out": "The customer asked for no more messages.",
    "no_template": "This channel has no template, or one went to the customer within the last 24 hours.",
    "no_caption": "text: only WhatsApp takes words beside a file, and none beside a sound.",
    "too_long": "text: Messenger takes 2,000 characters, Instagram 1,000 bytes.",
}
MAXIMUM_CAPTION = 1024


class Written(BaseModel):
    """What a person writes, a file of a `media_type` and `size` in bytes, or with neither the channel's template.

    `idempotency_key` is the console's own: a repeated call sends it once.
    """

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    conversation: UUID
    idempotency_key: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", max_length=64)
    text: str | None = Field(default=None, min_length=1, max_length=4096)
    media_type: str | None = Field(default=None, max_length=100)
    size: int | None = Field(default=None, ge=1, le=MAX_MEDIA_BYTES)

    @model_validator(mode="after")
    def _is_a_file_that_is_sent(self) -> Self:
        if self.media_type is None and self.size is None:
            return self
        if self.media_type not in SENT or self.size is None:
            raise ValueError("media_type: this kind of file is not sent; it needs its size")
        if self.size > most_bytes(SENT[self.media_type]):
            raise ValueError("size: too large to be sent")
        if self.text is not None and len(self.text) > MAXIMUM_CAPTION:
            raise ValueError("text: too long beside a file")
        return self


@GUARD
def handler(request: Request) -> Response:
    """Look at the window and the customer's wish, keep, wake."""
    written = request.body(Written)
    tenant, conversation = str(written.tenant), str(written.conversation)
    store = UserStore(request.caller.token, request.deadline)
    if written.media_type is not None:
        return _offer(request, store, written)
    kept = store.write_as_person(tenant, conversation, written.idempotency_key, written.text)
    if kept.refused is not None:
        raise Problem(kept.refused, 409, REFUSALS[kept.refused])
    assert kept.outbox is not None
    wake_sends([(tenant, kept.outbox, conversation)], kept.outbox, request.deadline)
    return Response(status=201, body={"outbox": kept.outbox})


def _offer(request: Request, store: UserStore, written: Written) -> Response:
    """A message that waits for its file, and the form for it."""
    tenant, size, media_type = str(written.tenant), written.size or 0, written.media_type or ""
    # Asked first, so that a stranger's tenant costs nothing.
    store.tenant(tenant)

    def keep() -> OfferedMedia:
        conversation, key = str(written.conversation), written.idempotency_key
        kept = store.offer_media(tenant, conversation, key, SENT[media_type], media_type, size, written.text)
        if kept.refused is not None:
            raise Problem(kept.refused, 409, REFUSALS[kept.refused])
        return kept

    upload = Upload("media", media_type, size, "meta")
    kept, form, left = offer(request, store, tenant, request.caller.user, upload, keep)
    return Response(status=201, body={"media": kept.media, "state": "awaited", "form": form}, headers=left)
