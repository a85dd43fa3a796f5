"""The console calls when a member searches what the assistant knows.

Nothing is written but what it used. The answer is the passages that fit by meaning or by words, the best first, with
the files that hold them.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.abuse.admission import Account, Denied, Want, admit
from shared.abuse.person_books import PersonBooks
from shared.abuse.prices import cost, tokens_at_most
from shared.abuse.rate_limit import fields
from shared.assistant.model import embed, embedding_breaker
from shared.data.user_store import UserStore
from shared.guard import Request, Response, guard, jwt
from shared.settings import Setting, read

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=10.0,
    rate=60,
    secrets=("AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("embedding",),
    writes=(
        "usage_ledger",
        "provider_budgets",
        "tenant_budgets",
    ),
    store_down="degrade",
)

PASSAGES = 10


class Question(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    text: str = Field(min_length=1, max_length=2000)


@GUARD
def handler(request: Request) -> Response:
    """Be admitted, embed the question, search with the person's own rights."""
    question = request.body(Question)
    tenant = str(question.tenant)
    store = UserStore(request.caller.token, request.deadline)
    store.tenant(tenant)
    tokens = tokens_at_most([question.text])
    price = cost(read(Setting.EMBEDDING_MODEL), tokens)
    account = Account(store.budget_facts(tenant), PersonBooks(tenant, store))
    meters = {"ai_microdollars": (price, price), "embedding_tokens": (tokens, tokens)}
    want = Want("model", meters, member=request.caller.user, breakers=(embedding_breaker(),))
    grant = admit(request, account, want)
    if isinstance(grant, Denied):
        raise grant.problem()
    with grant:
        [vector] = embed([question.text], grant, request.deadline)
    found = store.search_knowledge(tenant, vector, question.text, PASSAGES)
    passages = [{"text": passage.body, "source": passage.source, "distance": passage.distance} for passage in found]
    return Response(body={"passages": passages}, headers=fields(grant.policies))
