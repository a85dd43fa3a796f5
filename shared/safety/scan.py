"""The input guard: how likely a customer's text tries to change what the assistant is for.

No text makes it fail or slow: it is cut before it is read, and every step is linear in it.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from shared.safety import scoring
from shared.safety.canonical import MAXIMUM_CHARACTERS, canonical
from shared.safety.decoding import decoded
from shared.safety.marks import marks
from shared.safety.readings import LONGEST_WORD, readings

BLOCK, FLAG = 0.5, 0.3
# Of letters without spaces so many are cut into words, which takes a microsecond each: all of 4,096 characters with a
# space between each and the next.
CUT = 2048
# So many writings one inside the other are taken off.
NESTED = 2


class Verdict(NamedTuple):
    """`score` in [0, 1]; `rules` for the log, never for the customer."""

    score: float
    verdict: Literal["allow", "flag", "block"]
    rules: tuple[str, ...]


def scan(text: str, lang: str | None = None) -> Verdict:
    """Judge one text of at most 8,192 characters; what is longer is judged by its beginning and is flagged at least.

    `lang` is what the caller believes. Nothing depends on it: an attack comes in whatever language gets through.
    """
    cut = text[:MAXIMUM_CHARACTERS]
    odds, rules = _read(cut)
    for hidden in _hidden(cut, NESTED):
        inside, why = _read(hidden)
        if inside > odds:
            odds, rules = inside, ("decoded", *why)
    score = scoring.probability(odds)
    if len(text) > MAXIMUM_CHARACTERS:
        score, rules = max(score, FLAG), ("too_long", *rules)
    return Verdict(score, "block" if score >= BLOCK else "flag" if score >= FLAG else "allow", rules)


def _hidden(text: str, depth: int) -> Iterator[str]:
    for hidden in decoded(text):
        yield hidden
        if depth > 1:
            yield from _hidden(hidden, depth - 1)


def _read(text: str) -> tuple[float, tuple[str, ...]]:
    """Odds and rules of a text as somebody reads it."""
    low = canonical(text)
    odds, rules = _judged(low, scoring.words(low))
    if odds < 0:
        for other, is_together in readings(text, low):
            words = scoring.words(other)
            found = _judged(other, _cut(words) if is_together else words)
            odds, rules = max((odds, rules), found, key=lambda one: one[0])
    return odds, rules


def _judged(low: str, found: list[str]) -> tuple[float, tuple[str, ...]]:
    seen = marks(low, found)
    odds, keys = scoring.odds(scoring.concepts.of(found))
    return odds + sum(seen.values()), (*seen, *scoring.reasons(keys))


def _cut(words: list[str]) -> list[str]:
    """What is too long to be a word cut into words, beyond CUT at its ends; what is rather digits stays."""
    found: list[str] = []
    left = CUT
    for letters in words:
        is_long = min(len(letters), left) > LONGEST_WORD
        if is_long and 2 * sum(map(str.isdigit, letters)) < len(letters):
            read = letters if len(letters) <= left else letters[: left // 2] + letters[-(left // 2) :]
            left -= len(read)
            found += scoring.concepts.cut(read)
        else:
            found.append(letters)
    return found
