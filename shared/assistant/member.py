"""One answer that a member asks for in the console: admitted to the business's account, searched with their rights."""

from shared.abuse.admission import Account, Denied, Want, admit
from shared.abuse.allowance import Asking
from shared.abuse.person_books import PersonBooks
from shared.abuse.rate_limit import fields
from shared.assistant.answer import Answer, Turn, answer
from shared.data.user_store import UserStore


def answer_member(
    request: Asking, tenant: str, member: str, store: UserStore, turn: Turn
) -> tuple[Answer, dict[str, str]]:
    """The answer, and the header fields that say what is left to ask for.

    Raises Problem where it is not admitted, ModelFailed or Unavailable.
    """
    account = Account(store.budget_facts(tenant), PersonBooks(tenant, store))
    grant = admit(request, account, Want("model", turn.meters(), member=member, breakers=turn.breakers()))
    if isinstance(grant, Denied):
        raise grant.problem()
    with grant:
        said = answer(
            turn,
            lambda vector, words, most: store.search_knowledge(tenant, vector, words, most),
            grant,
            request.deadline,
        )
    return said, fields(grant.policies)
