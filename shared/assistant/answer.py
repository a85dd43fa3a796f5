"""One answer from the business's own knowledge: embed the question, find passages, ask the model.

What it may cost is known before it begins: every part of the prompt has a longest form, and the answer is cut to what
the hold pays for.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared import metrics
from shared.abuse.admission import Grant
from shared.abuse.prices import TOKENS_OF_TOOLS, TOKENS_PER_MESSAGE, cost, tokens_at_most
from shared.assistant import gate
from shared.assistant.model import (
    HAND_OFF,
    MAXIMUM_QUERY,
    MAXIMUM_TOKENS,
    SEARCH,
    chat_breaker,
    complete,
    embed,
    embedding_breaker,
)
from shared.assistant.prompt import build_prompt
from shared.clock import Deadline
from shared.data.rows import Passage, TenantFacts
from shared.knowledge.chunks import MAXIMUM_CHARACTERS
from shared.safety import Verdict
from shared.safety.judged import JudgedLine, JudgedText, for_search, judge_text
from shared.settings import Setting, read
from shared.untrusted import Untrusted

log = logging.getLogger("portero")

PASSAGES = 5
# A search for more words than these finds no better passages.
MAXIMUM_QUESTION = 2000
# What is read of the unanswered messages together, and of each earlier one.
MAXIMUM_TEXT = 8000
MAXIMUM_HISTORY = 1000
# An answer shorter than this is none.
MINIMUM_TOKENS = 60
BYTES_PER_CHARACTER = 4

Search = Callable[[list[float], str, int], list[Passage]]


@dataclass(frozen=True)
class Answer:
    """What to say and which files it was taken from; or `hand_off`, when a person should."""

    text: str
    sources: list[str]
    hand_off: bool


class Known(NamedTuple):
    """A passage that may enter the prompt, and the file that it was taken from."""

    text: JudgedText
    source: str


@dataclass(frozen=True)
class Turn:
    """What is to be answered: `texts` are the customer's unanswered messages, all cut to what is read of them."""

    tenant: TenantFacts
    history: Sequence[JudgedLine]
    texts: Sequence[JudgedText]
    canary: str

    @classmethod
    def of(
        cls, tenant_id: str, tenant: TenantFacts, history: Sequence[JudgedLine], texts: Sequence[JudgedText]
    ) -> "Turn":
        """Cut to size."""
        kept: list[JudgedText] = []
        left = MAXIMUM_TEXT
        for text in texts:
            kept.append(text.cut(left))
            left -= len(kept[-1])
        earlier = [line.cut(MAXIMUM_HISTORY) for line in history]
        return cls(tenant, earlier, [text for text in kept if len(text)], gate.canary(tenant_id))

    @property
    def question(self) -> str:
        """What the knowledge is searched for."""
        return "\n".join(map(for_search, self.texts))[:MAXIMUM_QUESTION]

    @property
    def verdict(self) -> Verdict:
        """What the input guard says of the customer's words."""
        return max((text.verdict for text in self.texts), key=lambda verdict: verdict.score)

    @property
    def may_search(self) -> bool:
        """Whether the model may ask for more passages: not for words that the guard is in doubt of."""
        return self.verdict.verdict == "allow"

    def meters(self) -> Mapping[str, tuple[int, int]]:
        """The least and the most that answering it can use. Raises Problem for a model without a price."""
        model, question = read(Setting.AI_MODEL), tokens_at_most([self.question])
        searched = cost(read(Setting.EMBEDDING_MODEL), question)
        known = build_prompt(self.tenant, [], self.history, self.texts, self.canary)
        found = PASSAGES * (MAXIMUM_CHARACTERS * BYTES_PER_CHARACTER + TOKENS_PER_MESSAGE)
        prompt = tokens_at_most([message["content"] for message in known]) + found + TOKENS_OF_TOOLS
        # A second search and a second answer, where the model asks for them and there is enough left.
        query = MAXIMUM_QUERY * BYTES_PER_CHARACTER
        longest, searches = 2 * (prompt + MAXIMUM_TOKENS) + found, question + query
        return {
            "ai_microdollars": (
                searched + cost(model, prompt, MINIMUM_TOKENS),
                cost(read(Setting.EMBEDDING_MODEL), searches)
                + cost(model, prompt, MAXIMUM_TOKENS)
                + cost(model, prompt + found, MAXIMUM_TOKENS),
            ),
            "ai_tokens": (prompt + MINIMUM_TOKENS, longest),
            "embedding_tokens": (question, searches),
        }

    @staticmethod
    def breakers() -> tuple[str, ...]:
        """What answering depends on."""
        return embedding_breaker(), chat_breaker()


def answer(turn: Turn, search: Search, grant: Grant, deadline: Deadline) -> Answer:
    """Answer, within the grant. `search` finds passages of this tenant only.

    The model may have searched once more, in words of its own. A passage with orders to the assistant is left out; an
    answer that breaks a rule of the output guard is a hand-off.
    Raises ModelFailed or Unavailable.
    """
    safe = _passages(turn.question, search, grant, deadline)
    prompt = build_prompt(turn.tenant, [known.text for known in safe], turn.history, turn.texts, turn.canary)
    said = complete(prompt, grant, deadline, (HAND_OFF, SEARCH) if turn.may_search else (HAND_OFF,))
    if said.search is not None:
        more = _passages(said.search, search, grant, deadline)
        before = {known.text for known in safe}
        safe += [known for known in more if known.text not in before]
        prompt = build_prompt(turn.tenant, [known.text for known in safe], turn.history, turn.texts, turn.canary)
        said = complete(prompt, grant, deadline)
    if said.hand_off:
        return Answer("", [], hand_off=True)
    broken = _broken_rules(turn, safe, said.text)
    if broken:
        log.warning("answer refused", extra={"rules": broken})
        metrics.note_guard("refused")
        return Answer("", [], hand_off=True)
    sources = list(dict.fromkeys(known.source for known in safe))
    return Answer(said.text, sources, hand_off=False)


def _passages(question: str, search: Search, grant: Grant, deadline: Deadline) -> list[Known]:
    """What fits a question, cut to size, without what holds orders to the assistant."""
    [vector] = embed([question], grant, deadline)
    passages = [
        Known(judge_text(Untrusted(passage.body[:MAXIMUM_CHARACTERS])), passage.source)
        for passage in search(vector, question, PASSAGES)
    ]
    safe = [known for known in passages if not known.text.is_withheld]
    if len(safe) < len(passages):
        log.warning("passages left out", extra={"count": len(passages) - len(safe)})
    return safe


def _broken_rules(turn: Turn, safe: Sequence[Known], text: str) -> tuple[str, ...]:
    instructions = build_prompt(turn.tenant, [], [], [], turn.canary)[0]["content"]
    passages = [known.text for known in safe]
    return gate.broken_rules(text, instructions, turn.tenant, passages, turn.history, turn.texts, turn.canary)
