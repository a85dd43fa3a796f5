"""The input guard: how likely a customer's text tries to change what the assistant is for.

No text makes it fail or slow: it is cut before it is read, and every step is linear in it.
"""

from dataclasses import dataclass
from typing import Literal

from shared.safety import scoring
from shared.safety.canonical import canonical
from shared.safety.decoding import decoded, spaced, turned
from shared.safety.marks import marks

BLOCK, FLAG = 0.5, 0.3
# Of the words of a language so many are in the lists; a text below it may be turned letter by letter.
KNOWN = 0.12
MAXIMUM_CHARACTERS = 8192
MISSPELLINGS = 40


@dataclass(frozen=True)
class Verdict:
    """`score` in [0, 1]; `rules` for the log, never for the customer."""

    score: float
    verdict: Literal["allow", "flag", "block"]
    rules: tuple[str, ...]


def scan(text: str, lang: str | None = None) -> Verdict:
    """Judge one text of at most 8,192 characters; what is longer is judged by its beginning and is flagged at least.

    `lang` is what the caller believes. Nothing depends on it: an attack comes in whatever language gets through.
    """
    cut = text[:MAXIMUM_CHARACTERS]
    odds, rules = _plain(cut)
    for hidden in decoded(cut):
        inside, why = _plain(hidden)
        if inside > odds:
            odds, rules = inside, ("decoded", *why)
    score = scoring.probability(odds)
    if len(text) > MAXIMUM_CHARACTERS:
        score, rules = max(score, FLAG), ("too_long", *rules)
    verdict: Literal["allow", "flag", "block"] = "block" if score >= BLOCK else "flag" if score >= FLAG else "allow"
    return Verdict(score, verdict, rules)


def _plain(text: str) -> tuple[float, tuple[str, ...]]:
    """Odds and rules of a text as it is read."""
    joined = spaced(text)
    low = canonical(text if joined is None else joined)
    found = scoring.sentences(low)
    if joined is not None:
        found = [scoring.concepts.cut(words) for words in found]
    odds, keys = scoring.score(found)
    if odds < 0:
        odds, keys = _unlikely(low, found, odds, keys)
    seen = marks(low)
    rules = [rule for rule, _ in seen]
    if odds > scoring.weights.bias:
        rules += scoring.reasons(keys)
    return odds + sum([added for _, added in seen]), tuple(rules)


def _unlikely(low: str, found: list[list[str]], odds: float, keys: set[int]) -> tuple[float, set[int]]:
    """The same for what an honest reading does not accuse: misspelled, or turned letter by letter."""
    words = [word for sentence in found for word in sentence]
    known = scoring.concepts.known(words)
    if len(words) >= 4 and known < KNOWN * len(words):
        for other in turned(low):
            candidate = scoring.score(scoring.sentences(canonical(other)))
            if candidate[0] > max(odds, 0.0):
                return candidate
    if odds > scoring.weights.bias - 1 and keys or known:
        corrected = [scoring.concepts.corrected(sentence) for sentence in found]
        if corrected != found:
            return max((odds, keys), scoring.score(corrected), key=lambda one: one[0])
    return odds, keys
