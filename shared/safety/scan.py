"""The input guard: how likely a customer's text tries to change what the assistant is for.

No text makes it fail or slow: it is cut before it is read, and every step is linear in it.
"""

import itertools
from collections.abc import Iterator
from typing import Literal, NamedTuple

from shared.safety import scoring
from shared.safety.canonical import MAXIMUM_CHARACTERS, canonical
from shared.safety.decoding import decoded, in_letters, is_apart, is_in_digits, is_turned, spaced, together, turned
from shared.safety.marks import marks

BLOCK, FLAG = 0.5, 0.3
# A text of fewer words is not looked at turned letter by letter.
FEW = 4
LONGEST = 20
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
    words = cut.split()
    odds, rules = _read(cut, words)
    for hidden in _hidden(cut, words, NESTED):
        inside, why = _read(hidden, hidden.split())
        if inside > odds:
            odds, rules = inside, ("decoded", *why)
    score = scoring.probability(odds)
    if len(text) > MAXIMUM_CHARACTERS:
        score, rules = max(score, FLAG), ("too_long", *rules)
    return Verdict(score, "block" if score >= BLOCK else "flag" if score >= FLAG else "allow", rules)


def _hidden(text: str, words: list[str], depth: int) -> Iterator[str]:
    for hidden in decoded(text, words):
        yield hidden
        if depth > 1:
            yield from _hidden(hidden, hidden.split(), depth - 1)


def _read(text: str, words: list[str]) -> tuple[float, tuple[str, ...]]:
    """Odds and rules of a text as somebody reads it."""
    joined = spaced(text, words)
    low = canonical(text if joined is None else joined)
    found = scoring.words(low)
    if joined is not None:
        found = _cut(found)
    odds, rules = _judged(low, found)
    if odds < 0:
        for other, said in _other_readings(text, low, words):
            odds, rules = max((odds, rules), _judged(other, said), key=lambda one: one[0])
    return odds, rules


def _other_readings(text: str, low: str, words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The text read otherwise, and the words of that."""
    letters = low.encode("ascii", "replace")
    if is_apart(letters):
        other = together(low)
        yield other, _cut(scoring.words(other))
    if len(words) < FEW:
        return
    if is_turned(letters):
        other = canonical(turned(text))
        yield other, scoring.words(other)
    if is_in_digits(letters):
        other = in_letters(low)
        yield other, scoring.words(other)


def _judged(low: str, found: list[str]) -> tuple[float, tuple[str, ...]]:
    seen = marks(low)
    odds, keys = scoring.odds(scoring.concepts.of(found))
    return odds + sum(seen.values()), (*seen, *scoring.reasons(keys))


def _cut(words: list[str]) -> list[str]:
    """What stood apart letter by letter, cut into words where it is too long to be one."""
    pieces = [scoring.concepts.cut(letters) if len(letters) > LONGEST else [letters] for letters in words]
    return list(itertools.chain.from_iterable(pieces))
