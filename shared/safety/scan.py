"""The input guard: how likely a customer's text tries to change what the assistant is for.

No text makes it fail or slow: it is cut before it is read, and every step is linear in it.
"""

import itertools
from collections.abc import Iterator
from typing import Literal, NamedTuple

from shared.safety import scoring
from shared.safety.canonical import MAXIMUM_CHARACTERS, canonical
from shared.safety.decoding import decoded, is_turned, spaced, turned
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
    found = scoring.sentences(low)
    if joined is not None:
        found = [_cut(sentence) for sentence in found]
    odds, keys = _odds_of(found)
    if odds < 0 and len(words) >= FEW and is_turned(low):
        turned_odds, turned_keys = _odds_of(scoring.sentences(canonical(turned(low))))
        odds, keys = max((odds, keys), (turned_odds, turned_keys), key=lambda one: one[0])
    seen = marks(low)
    rules = (*seen, *scoring.reasons(keys))
    return odds + sum(seen.values()), rules


def _odds_of(found: list[list[str]]) -> tuple[float, set[int]]:
    return scoring.odds([scoring.concepts.of(sentence) for sentence in found])


def _cut(sentence: list[str]) -> list[str]:
    """What stood apart letter by letter, cut into words where it is too long to be one."""
    words = [scoring.concepts.cut(letters) if len(letters) > LONGEST else [letters] for letters in sentence]
    return list(itertools.chain.from_iterable(words))
