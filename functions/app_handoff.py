"""The console calls when a person takes a conversation, or gives it back to the assistant.

Who answers in that conversation is written down, and in the audit log who said so. The answer says who that is now.
"""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.data.user_store import UserStore
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=10.0,
    rate=60,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("conversations", "audit_log"),
    store_down="refuse",
)


class HandOver(BaseModel):
    """Who shall answer."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    conversation: UUID
    to: Literal["assistant", "person"]


@GUARD
def handler(request: Request) -> Response:
    """Change who answers. What the assistant has on its way when a person takes over is not sent."""
    wanted = request.body(HandOver)
    store = UserStore(request.caller.token, request.deadline)
    store.hand_over(str(wanted.tenant), str(wanted.conversation), wanted.to)
    return Response(body={"handled_by": wanted.to})
