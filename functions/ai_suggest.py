"""The console calls when a person answers a conversation and wants a draft.

Nobody is messaged, and nothing is written but what it used. The answer is a draft to what the customer wrote last, with
the files that it was taken from, or none where a person has to find the words.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.assistant.answer import Turn
from shared.assistant.member import answer_member
from shared.data.rows import TenantFacts
from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt
from shared.safety.judged import judge_conversation

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=25.0,
    rate=20,
    secrets=("AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("ai", "embedding"),
    writes=("usage_ledger",),
    store_down="degrade",
)


class Wanted(BaseModel):
    """The conversation that is to be answered."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    conversation: UUID


@GUARD
def handler(request: Request) -> Response:
    """Read the conversation as the person may, be admitted, draft."""
    wanted = request.body(Wanted)
    tenant = str(wanted.tenant)
    store = UserStore(request.caller.token, request.deadline)
    facts = TenantFacts.model_validate(store.tenant(tenant))
    said = store.last_said(tenant, str(wanted.conversation))
    earlier = next((place for place in range(len(said), 0, -1) if said[place - 1].author != "contact"), 0)
    if earlier == len(said):
        raise Problem("nothing_to_answer", 409, "The last word in this conversation is the business's.")
    lines = judge_conversation(said[:earlier], said[earlier:])
    turn = Turn.of(tenant, facts, lines.earlier, [line.text for line in lines.current])
    if turn.verdict.verdict == "block":
        return Response(body={"draft": None, "sources": []})
    drafted, left = answer_member(request, tenant, request.caller.user, store, turn)
    return Response(
        headers=left,
        body={"draft": None if drafted.hand_off else drafted.text, "sources": drafted.sources},
    )
