"""Text from outside with a verdict of the current input filter: the only form in which it enters a prompt.

See docs/decisions/0017-judged-text.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.data.rows import Said
from shared.safety.scan import BLOCK, FLAG, Verdict, scan
from shared.safety.version import FILTER_VERSION
from shared.untrusted import Untrusted, for_judging

# The prompt holds this in place of a text that was blocked.
WITHHELD = "[message withheld]"
# Lines. So many of a contact's earlier lines are judged together with the next one, since an attack may come in pieces.
# Each more finds longer ones, and withholds more lines of customers by mistake.
PIECES = 2

_SCORES = {"allow": 0.0, "flag": FLAG, "block": BLOCK}
# Only this module holds it, so only this module makes judged text.
_FILTER = object()


class JudgedText(Untrusted):
    """A text and the verdict of the current filter. A changed text has none, except one that was truncated."""

    __slots__ = ("_verdict",)

    def __init__(self, made_by: object, text: Untrusted, verdict: Verdict) -> None:
        if made_by is not _FILTER:
            raise TypeError("Only the input filter makes judged text (shared/safety/judged.py).")
        super().__init__(for_judging(text))
        self._verdict = verdict

    @property
    def verdict(self) -> Verdict:
        """The verdict of the text, or of the texts that it was judged together with if theirs is worse."""
        return self._verdict

    @property
    def is_withheld(self) -> bool:
        """Whether a prompt holds WITHHELD in place of the text."""
        return self._verdict.verdict == "block"

    def cut(self, length: int) -> "JudgedText":
        """At most so many characters of it."""
        return JudgedText(_FILTER, super().cut(length), self._verdict)


def judge_text(text: Untrusted) -> JudgedText:
    """Judge one text."""
    return JudgedText(_FILTER, text, scan(for_judging(text)))


def judge_together(texts: Sequence[Untrusted]) -> Verdict:
    """Return the worst verdict of several texts, each alone and all together, since an attack may come in pieces."""
    return _worst([*(scan(for_judging(text)) for text in texts), _together(texts)])


def for_prompt(text: JudgedText) -> str:
    """Open a text for a prompt, to stand between its markers. Raises TypeError if it was not judged."""
    if not isinstance(text, JudgedText):
        raise TypeError("A prompt takes judged text only (shared/safety/judged.py).")
    return WITHHELD if text.is_withheld else for_judging(text)


def for_search(text: JudgedText) -> str:
    """Open a text to be embedded, and counted. Raises TypeError if it was not judged."""
    return for_prompt(text)


@dataclass(frozen=True)
class JudgedLine:
    """A line of a conversation. `id` is the message's; `is_new` if the database does not have this verdict yet."""

    author: Literal["contact", "assistant", "person"]
    text: JudgedText
    id: str = ""
    is_new: bool = True

    def cut(self, length: int) -> "JudgedLine":
        """The same line with at most so many characters of its text."""
        return replace(self, text=self.text.cut(length))

    def with_verdict(self, verdict: Verdict) -> "JudgedLine":
        """The same line with another verdict."""
        return replace(self, text=JudgedText(_FILTER, self.text, verdict), is_new=True)


@dataclass(frozen=True)
class Conversation:
    """`earlier` lines, and the `current` ones, which wait for an answer; oldest first."""

    earlier: Sequence[JudgedLine]
    current: Sequence[JudgedLine]

    def new_verdicts(self) -> dict[str, str]:
        """Return the verdicts that the database does not have, by message id."""
        lines = (*self.earlier, *self.current)
        return {line.id: line.text.verdict.verdict for line in lines if line.is_new and line.id}


def judge_conversation(earlier: Iterable[Said], current: Iterable[Said]) -> Conversation:
    """Judge the lines without a verdict of the current filter.

    The current lines are judged together too, and all of them are blocked if that is. A line that would be blocked
    together with the PIECES before it is answered without them: they are withheld, from then on.
    """
    lines: list[JudgedLine] = []
    for line in earlier:
        judged = _judge_line(line)
        if judged.is_new and judged.author == "contact":
            _part(lines, [judged])
        lines.append(judged)
    waiting = _judge_current(list(map(_judge_line, current)))
    _part(lines, waiting)
    return Conversation(lines, waiting)


def _judge_line(line: Said) -> JudgedLine:
    if line.verdict is None or line.filter_version != FILTER_VERSION:
        return JudgedLine(line.author, judge_text(line.text), line.id)
    verdict = Verdict(_SCORES[line.verdict], line.verdict, ("stored",))
    return JudgedLine(line.author, JudgedText(_FILTER, line.text, verdict), line.id, is_new=False)


def _judge_current(lines: list[JudgedLine]) -> list[JudgedLine]:
    together = _together([line.text for line in lines if not line.text.is_withheld])
    return [line.with_verdict(together) if together.score > line.text.verdict.score else line for line in lines]


def _part(earlier: list[JudgedLine], lines: Sequence[JudgedLine]) -> None:
    """Withhold the pieces before `lines` if all together are blocked."""
    said = [line.text for line in lines if not line.text.is_withheld]
    own = [place for place, line in enumerate(earlier) if line.author == "contact" and not line.text.is_withheld]
    pieces = own[-PIECES:]
    if not said or not pieces:
        return
    together = _together([*(earlier[place].text for place in pieces), *said])
    if together.verdict == "block":
        for place in pieces:
            earlier[place] = earlier[place].with_verdict(together)


def _together(texts: Sequence[Untrusted]) -> Verdict:
    """The verdict of several texts as one, read with and without a new line between them."""
    if len(texts) < 2:
        return Verdict(0.0, "allow", ())
    said = list(map(for_judging, texts))
    return _worst([scan("\n".join(said)), scan("".join(said))])


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=lambda verdict: verdict.score)
