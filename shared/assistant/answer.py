"""One answer from the business's own knowledge: embed the question, find passages, ask the model.

What it may cost is known before it begins: every part of the prompt has a longest form, and the answer is cut to what
the hold pays for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.abuse.admission import Grant
from shared.abuse.prices import TOKENS_OF_TOOLS, TOKENS_PER_MESSAGE, cost, tokens_at_most
from shared.assistant.chunks import MAXIMUM_CHARACTERS
from shared.assistant.model import MAXIMUM_TOKENS, chat_breaker, complete, embed, embedding_breaker
from shared.assistant.prompt import build_prompt
from shared.clock import Deadline
from shared.data.rows import Passage, Said, TenantFacts
from shared.settings import Setting, read

PASSAGES = 5
# A search for more words than these finds no better passages.
MAXIMUM_QUESTION = 2000
# What is read of the unanswered messages together, and of each earlier one.
MAXIMUM_TEXT = 8000
MAXIMUM_HISTORY = 1000
# An answer shorter than this is none.
MINIMUM_TOKENS = 60
BYTES_PER_CHARACTER = 4

Search = Callable[[list[float], int], list[Passage]]


@dataclass(frozen=True)
class Answer:
    """What to say and which files it was taken from; or `hand_off`, when a person should."""

    text: str
    sources: list[str]
    hand_off: bool


@dataclass(frozen=True)
class Turn:
    """What is to be answered: `texts` are the customer's unanswered messages, all cut to what is read of them."""

    tenant: TenantFacts
    history: Sequence[Said]
    texts: Sequence[str]

    @classmethod
    def of(cls, tenant: TenantFacts, history: Sequence[Said], texts: Sequence[str]) -> "Turn":
        """Cut to size."""
        kept: list[str] = []
        left = MAXIMUM_TEXT
        for text in texts:
            kept.append(text[:left])
            left -= len(kept[-1])
        earlier = [Said(author=said.author, text=said.text[:MAXIMUM_HISTORY]) for said in history]
        return cls(tenant, earlier, [text for text in kept if text])

    @property
    def question(self) -> str:
        """What the knowledge is searched for."""
        return "\n".join(self.texts)[:MAXIMUM_QUESTION]

    def meters(self) -> Mapping[str, tuple[int, int]]:
        """The least and the most that answering it can use. Raises Problem for a model without a price."""
        model, question = read(Setting.AI_MODEL), tokens_at_most([self.question])
        searched = cost(read(Setting.EMBEDDING_MODEL), question)
        known = build_prompt(self.tenant, [], self.history, self.texts)
        found = PASSAGES * (MAXIMUM_CHARACTERS * BYTES_PER_CHARACTER + TOKENS_PER_MESSAGE)
        prompt = tokens_at_most([message["content"] for message in known]) + found + TOKENS_OF_TOOLS
        return {
            "ai_microdollars": (
                searched + cost(model, prompt, MINIMUM_TOKENS),
                searched + cost(model, prompt, MAXIMUM_TOKENS),
            ),
            "ai_tokens": (prompt + MINIMUM_TOKENS, prompt + MAXIMUM_TOKENS),
            "embedding_tokens": (question, question),
        }

    @staticmethod
    def breakers() -> tuple[str, ...]:
        """What answering depends on."""
        return embedding_breaker(), chat_breaker()


def answer(turn: Turn, search: Search, grant: Grant, deadline: Deadline) -> Answer:
    """Answer, within the grant. `search` finds passages of this tenant only.

    Raises ModelFailed or Unavailable.
    """
    [vector] = embed([turn.question], grant, deadline)
    passages = [
        Passage(body=passage.body[:MAXIMUM_CHARACTERS], source=passage.source, distance=passage.distance)
        for passage in search(vector, PASSAGES)
    ]
    said = complete(build_prompt(turn.tenant, passages, turn.history, turn.texts), grant, deadline)
    sources = list(dict.fromkeys(passage.source for passage in passages))
    return Answer(said.text, sources, said.hand_off)
