"""What was said before the lines that a turn reads, in short, so that a long conversation stays a short prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.abuse.admission import Grant
from shared.abuse.prices import cost, tokens_at_most
from shared.assistant.gate import is_safe
from shared.assistant.model import chat_breaker, complete
from shared.assistant.prompt import build_summary_prompt
from shared.clock import Deadline
from shared.safety.judged import JudgedLine, JudgedText, judge_text
from shared.settings import Setting, read
from shared.untrusted import Untrusted

MAXIMUM_SUMMARY = 1000  # characters
MAXIMUM_LINE = 500
ANSWER_TOKENS = 250


def with_summary(summary: Untrusted, history: Sequence[JudgedLine]) -> list[JudgedLine]:
    """The lines of a turn, after what was said before them. Of the customer: the model takes no orders from it."""
    text = judge_summary(summary)
    before = [JudgedLine("contact", text)] if len(text) else []
    return [*before, *history]


def judge_summary(summary: Untrusted) -> JudgedText:
    """Judge a stored summary whenever it is read; a blocked one is none. It takes 0.1 ms, so no verdict is stored."""
    text = judge_text(summary)
    return judge_text(Untrusted("")) if text.is_withheld else text


@dataclass(frozen=True)
class Summary:
    """A `summary` that is to tell of `lines` too."""

    summary: JudgedText
    lines: Sequence[JudgedLine]

    @cached_property
    def prompt(self) -> list[dict[str, str]]:
        """What the model is asked."""
        cut = [line.cut(MAXIMUM_LINE) for line in self.lines]
        return build_summary_prompt(self.summary, cut)

    def meters(self) -> Mapping[str, tuple[int, int]]:
        """What it costs at most. Raises Problem for a model without a price."""
        asked = tokens_at_most([message["content"] for message in self.prompt])
        price = cost(read(Setting.AI_MODEL), asked, ANSWER_TOKENS)
        return {"ai_microdollars": (price, price), "ai_tokens": (asked + ANSWER_TOKENS, asked + ANSWER_TOKENS)}

    @staticmethod
    def breakers() -> tuple[str, ...]:
        """What it depends on."""
        return (chat_breaker(),)

    def write(self, grant: Grant, deadline: Deadline) -> str | None:
        """The new summary; None where it holds orders, as it may when the lines did. Raises ModelFailed."""
        said = complete(self.prompt, grant, deadline, tools=())
        text = said.text[:MAXIMUM_SUMMARY]
        return text if text and is_safe(text) else None
