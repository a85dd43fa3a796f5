"""The console calls when an owner tries the assistant.

Nobody is messaged, and nothing is written but what it used. The answer comes from the business's knowledge, read with
the owner's own rights, and names the files it was taken from.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.assistant.answer import Turn
from shared.assistant.gate import NEUTRAL
from shared.assistant.member import answer_member
from shared.data.rows import TenantFacts
from shared.data.user_store import UserStore
from shared.guard import Request, Response, guard, jwt
from shared.safety.judged import judge_text
from shared.untrusted import Untrusted

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=25.0,
    rate=20,
    secrets=("AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("ai", "embedding"),
    writes=("usage_ledger",),
    store_down="degrade",
)


class Question(BaseModel):
    """What the owner asks, as a customer would."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    text: str = Field(min_length=1, max_length=2000)


@GUARD
def handler(request: Request) -> Response:
    """Read the business, be admitted, answer."""
    question = request.body(Question)
    tenant = str(question.tenant)
    store = UserStore(request.caller.token, request.deadline)
    facts = TenantFacts.model_validate(store.tenant(tenant))
    turn = Turn.of(tenant, facts, [], [judge_text(Untrusted(question.text))])
    if turn.verdict.verdict == "block":
        return Response(body={"answer": NEUTRAL[facts.language], "hand_off": False, "sources": []})
    said, left = answer_member(request, tenant, request.caller.user, store, turn)
    return Response(
        headers=left,
        body={
            "answer": facts.hand_off_sentence if said.hand_off else said.text,
            "hand_off": said.hand_off,
            "sources": said.sources,
        },
    )
