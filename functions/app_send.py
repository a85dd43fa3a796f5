"""The console calls when a person writes to a customer.

The message is kept and its row of the outbox with it, and the send queue gets its id; the conversation is the person's
from then on. The answer names the row.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt
from shared.messaging.wake import wake_sends

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=10.0,
    rate=30,
    secrets=("UPSTASH_REDIS_REST_TOKEN", "QUEUE_KEY"),
    writes=("conversations", "messages", "outbox", "audit_log"),
    store_down="refuse",
)

REFUSALS = {
    "outside_window": "The customer last wrote more than 24 hours ago; only WhatsApp takes something now, an approved "
    "template.",
    "opted_out": "The customer asked for no more messages.",
    "no_template": "This channel has no template, or one went to the customer within the last 24 hours.",
    "too_long": "text: Messenger takes 2,000 characters, Instagram 1,000 bytes.",
}


class Written(BaseModel):
    """What a person writes, or without `text` the channel's template.

    `idempotency_key` is the console's own: a repeated call sends it once.
    """

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    conversation: UUID
    idempotency_key: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", max_length=64)
    text: str | None = Field(default=None, min_length=1, max_length=4096)


@GUARD
def handler(request: Request) -> Response:
    """Look at the window and the customer's wish, keep, wake."""
    written = request.body(Written)
    tenant, conversation = str(written.tenant), str(written.conversation)
    store = UserStore(request.caller.token, request.deadline)
    kept = store.write_as_person(tenant, conversation, written.idempotency_key, written.text)
    if kept.refused is not None:
        raise Problem(kept.refused, 409, REFUSALS[kept.refused])
    assert kept.outbox is not None
    wake_sends([(tenant, kept.outbox, conversation)], kept.outbox, request.deadline)
    return Response(status=201, body={"outbox": kept.outbox})
