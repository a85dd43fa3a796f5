"""Learn the weights of the input guard from the project's own lines (scripts/guard_lines), and write them.

A line stands for as many as its alternatives make, of which a seeded sample is taken; each counts as much as a line
alone. Logistic regression over concepts and pairs, with the same features as the guard. No random start, one seed: the
same lines give the same file.
"""

import json
import math
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from shared.safety import concepts as lists  # noqa: E402
from shared.safety import scoring  # noqa: E402
from shared.safety.canonical import canonical  # noqa: E402

LINES = PROJECT / "scripts" / "guard_lines"
WEIGHTS = lists.FOLDER / "weights.json"
SAMPLE = 24
ROUNDS = 40
STEP = 0.25
DECAY = 2e-4
PAIR_DECAY = 6e-4
# What is done, to what, and what only stands beside it. A pair may speak for an attack when it holds something done, or
# two things that it is done to; what only stands beside may not, and what shops are asked never does.
DONE = {"drop", "disable", "reveal", "become", "are_now", "now_on", "say_only", "tamper", "tool", "send", "want_you", "encode", "memory",
        "confirm", "refuse", "forbid"}
BESIDE = {"you", "all", "without", "prior", "exact", "i_am"}
HARMLESS = {"shop", "ask", "life", "mine", "me"}
BLUNT = {"data", "price", "zero", "tool", "harm", "story", "mode", "access", "exact", "send", "tamper", "memory", "confirm", "url"}
ALONE = {"persona", "forged", "prompt", "are_now", "now_on", "become", "say_only", "refuse", "ai", "hidden", "authority", "key", "forbid",
         "what_model", "ethic"}
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")


def main() -> int:
    """Train, write, say how well the own lines are told apart."""
    chance = random.Random(7)
    rows = list(examples(chance))
    bias, weights = train(rows, chance)
    names = scoring.concepts.names
    kept = {
        f"{names[key >> 8]} {names[key & 255]}".strip(): round(weight, 2)
        for key, weight in sorted(weights.items())
        if abs(weight) >= 0.02
    }
    WEIGHTS.write_text(json.dumps({"bias": round(bias, 2), "weights": kept}, indent=0, sort_keys=True) + "\n")
    wrong = sum((bias + sum(weights.get(key, 0.0) for key in keys) > 0) != attack for keys, attack, _ in rows)
    print(f"{len(rows)} examples, {len(kept)} weights, {wrong} of the own lines on the wrong side")
    return 0


def lines(kind: str, language: str) -> Iterator[tuple[str, str]]:
    """(family, line) of a file."""
    family = ""
    for line in (LINES / f"{kind}.{language}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            family = line[2:]
        elif line.strip():
            yield family, line


def spoken(line: str, chance: random.Random) -> str:
    """One of what a line stands for."""
    text = _CHOICE.sub(lambda found: chance.choice(found[1].split("|")), line)
    return re.sub(r"\s+", " ", text).strip()


def examples(chance: random.Random) -> Iterator[tuple[frozenset[int], bool, float]]:
    """Features of the whole line, whether it is an attack, and its weight."""
    for kind in ("attacks", "harmless"):
        for language in lists.LANGUAGES:
            for _, line in lines(kind, language):
                said = {spoken(line, chance) for _ in range(SAMPLE)}
                for text in sorted(said):
                    unit = scoring.trimmed(
                        [concept for words in scoring.sentences(canonical(text)) for concept in scoring.concepts.of(words)]
                    )
                    yield frozenset(scoring.features(unit)), kind == "attacks", 1 / len(said)
    yield from _together(chance)


def _together(chance: random.Random) -> Iterator[tuple[frozenset[int], bool, float]]:
    """Two or three harmless lines in one sentence: much said at once is no attack."""
    for language in lists.LANGUAGES:
        known = [line for _, line in lines("harmless", language)]
        for _ in range(600):
            text = " ".join(spoken(chance.choice(known), chance) for _ in range(chance.choice((2, 3))))
            unit = [concept for words in scoring.sentences(canonical(text)) for concept in scoring.concepts.of(words)]
            yield frozenset(scoring.features(scoring.trimmed(unit[: scoring.LONG]))), False, 0.15


def may_accuse(key: int) -> bool:
    """Whether the feature may have a weight above zero."""
    names = scoring.concepts.names
    first, second = names[key >> 8], names[key & 255]
    if not second:
        return first in ALONE
    both = {first, second}
    if both & HARMLESS or both <= BESIDE:
        return False
    if both <= BLUNT:
        return len(both) == 2 and not both & {"tool", "mode", "story", "exact"}
    return not (both & BESIDE and both & BLUNT) and both != {"reveal", "zero"}


def least(key: int) -> float:
    """How far below zero the feature's weight may be: two parts of an attack never speak against one."""
    names = scoring.concepts.names
    both = {names[key >> 8], names[key & 255] or names[key >> 8]}
    if both & HARMLESS:
        return -1.2
    return -0.4 if both & (BESIDE | BLUNT) else 0.0


def train(rows: list[tuple[frozenset[int], bool, float]], chance: random.Random) -> tuple[float, dict[int, float]]:
    """Stochastic gradient descent with AdaGrad; harmless lines weigh so much that both sides count the same."""
    harmless = sum(weight for _, attack, weight in rows if not attack)
    hostile = sum(weight for _, attack, weight in rows if attack)
    weights: dict[int, float] = {}
    slopes: dict[int, float] = {}
    bias, bias_slope = -1.0, 1e-8
    order = list(rows)
    for _ in range(ROUNDS):
        chance.shuffle(order)
        for keys, attack, weight in order:
            odds = bias + sum(weights.get(key, 0.0) for key in keys)
            wrong = (1 / (1 + math.exp(-max(-30.0, min(30.0, odds)))) - attack) * weight * (1 if attack else hostile / harmless)
            bias_slope += wrong * wrong
            bias -= STEP * wrong / math.sqrt(bias_slope)
            for key in keys:
                old = weights.get(key, 0.0)
                slope = wrong + (PAIR_DECAY if key & 255 else DECAY) * old
                slopes[key] = slopes.get(key, 1e-8) + slope * slope
                new = old - STEP * slope / math.sqrt(slopes[key])
                weights[key] = min(max(new, least(key)), 9.0 if may_accuse(key) else 0.0)
    return bias, weights


if __name__ == "__main__":
    sys.exit(main())
