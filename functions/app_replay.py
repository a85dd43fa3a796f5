"""The console calls when a member wants messages answered or sent after all.

How they ended is taken back, with an entry in the audit log each, and the workers are woken by the schedule; a dry run
changes nothing. The answer names them, and how each had ended.
"""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.data.user_store import UserStore
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=10.0,
    rate=20,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("inbox", "outbox", "messages", "conversations", "audit_log"),
    store_down="refuse",
)


class Wanted(BaseModel):
    """`ids` of the inbox ("turns") or of the outbox ("sends"), as the timeline and the outbox show them."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    what: Literal["turns", "sends"]
    ids: list[UUID] = Field(min_length=1, max_length=100)
    dry: bool = True


@GUARD
def handler(request: Request) -> Response:
    """Take back how they ended; cron_recover brings them to the workers within minutes."""
    wanted = request.body(Wanted)
    store = UserStore(request.caller.token, request.deadline)
    replayed = store.replay(str(wanted.tenant), wanted.what, list(map(str, wanted.ids)), wanted.dry)
    found = [{"id": one.id, "ended": one.reason} for one in replayed]
    return Response(body={"dry": wanted.dry, "replayed": found})
