"""One answer from the business's own knowledge: embed the question, find passages, ask the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.assistant.model import complete, embed
from shared.assistant.prompt import build_prompt
from shared.clock import Deadline
from shared.data.rows import Passage, Said, TenantFacts

PASSAGES = 5
# A search for more words than these finds no better passages.
MAXIMUM_QUESTION = 2000

Search = Callable[[list[float], int], list[Passage]]


@dataclass(frozen=True)
class Answer:
    """What to say and which files it was taken from; or `hand_off`, when a person should."""

    text: str
    sources: list[str]
    hand_off: bool


def answer(
    tenant: TenantFacts, history: Sequence[Said], texts: Sequence[str], search: Search, deadline: Deadline
) -> Answer:
    """Answer `texts` (the customer's unanswered messages). `search` finds passages of this tenant only.

    Raises ModelFailed or Unavailable.
    """
    question = "\n".join(texts)[:MAXIMUM_QUESTION]
    [vector] = embed([question], deadline)
    passages = search(vector, PASSAGES)
    said = complete(build_prompt(tenant, passages, history, texts), deadline)
    sources = list(dict.fromkeys(passage.source for passage in passages))
    return Answer(said.text, sources, said.hand_off)
