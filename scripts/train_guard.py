"""Put the input guard's concepts together and learn their weights from the project's own lines; write both.

Concepts: shared/safety/concepts/<language>.txt, a line for each, `name: word beginning* of_a_phrase`.

Lines: scripts/guard_lines. `(a|b)` stands for either; of all that a line stands for a seeded sample is taken, and it
counts as much as one line. Logistic regression over concepts and pairs, with the features that the guard itself makes,
and bounds that say what may accuse. No random start and one seed: the same lines give the same file.
"""

import itertools
import json
import math
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from shared.safety import concepts as lists  # noqa: E402
from shared.safety import scoring  # noqa: E402
from shared.safety.canonical import canonical  # noqa: E402

LANGUAGES = ("es", "pt", "en")
WORDS = PROJECT / "shared" / "safety" / "concepts"
LINES = PROJECT / "scripts" / "guard_lines"
# Concepts that accuse by themselves, and how far; no other does.
ALONE = {
    **dict.fromkeys(("persona", "forged"), 3.0),
    "prompt": 0.8,
    **dict.fromkeys(
        (
            *("are_now", "now_on", "say_only", "forbid", "what_model", "free", "become", "refuse", "context", "key"),
            *("hidden", "ai", "authority", "drop", "disable", "ethic", "alter", "renewed", "inside", "made"),
        ),
        0.4,
    ),
}
# Pairs of common things that are an attack together.
BLUNT_PAIRS = set(map(frozenset, (
    ("tamper", "zero"), ("price", "zero"), ("confirm", "zero"), ("send", "url"), ("access", "give"), ("give", "tool"),
    ("tool", "zero"),
)))  # fmt: skip
# Pairs that shops hear too, and how far they accuse: some of them together do, one alone never.
COMMON_PAIRS = {
    **dict.fromkeys(map(frozenset, (
        ("reveal", "rules"), ("reveal", "prior"), ("reveal", "others"), ("reveal", "inside"), ("you", "rules"),
        ("translate", "rules"), ("want_you", "drop"), ("drop", "memory"),
    )), 0.4),
    **dict.fromkeys(map(frozenset, (
        ("prior", "rules"), ("all", "rules"), ("without", "rules"), ("give", "rules"), ("give", "ai"),
        ("give", "authority"), ("authority", "data"), ("you", "ai"), ("all", "prompt"), ("reveal", "memory"),
        ("want_you", "reveal"), ("want_you", "confirm"), ("ai", "zero"), ("drop", "price"),
    )), 0.2),
}  # fmt: skip
# What stands beside accuses only together with these.
BESIDE_OF = {
    "all": {"rules", "prompt", "ai", "refuse", "persona", "free"},
    "you": {
        "rules",
        "prompt",
        "ai",
        "persona",
        "key",
        "forbid",
        "what_model",
        "are_now",
        "now_on",
        "become",
        "free",
        "say_only",
    },
    "prior": {"drop", "disable", "rules", "prompt", "reveal", "forbid"},
    "exact": {"rules", "prompt", "hidden", "say_only", "encode", "output"},
    "without": {"rules", "refuse", "ethic", "ai", "persona", "output", "become"},
    "i_am": {"authority", "persona", "become", "reveal", "free", "forged"},
    "are": {"persona", "free", "become", "now_on", "refuse"},
}
SAMPLE, TOGETHER, TOGETHER_WEIGHT = 24, 600, 0.15
ROUNDS, STEP, DECAY, PAIR_DECAY = 40, 0.25, 2e-4, 6e-4
LEAST, LEAST_HARMLESS, MOST = -0.6, -2.0, 9.0
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")

Example = tuple[frozenset[int], bool, float]


def main() -> int:
    """Write the file; say how well the own lines are told apart."""
    text, said = made()
    lists.FILE.write_text(text, encoding="utf-8")
    print(f"{lists.FILE.relative_to(PROJECT)}: {len(text) // 1000} kB, {said}")
    return 0


def made() -> tuple[str, str]:
    """What the file should hold, and a sentence about it."""
    kept = word_lists()
    before, scoring.concepts = scoring.concepts, lists.Concepts(kept | {"bias": 0.0, "weights": {}})
    try:
        chance = random.Random(7)
        rows = list(examples(chance))
        bias, weights = train(rows, chance)
    finally:
        scoring.concepts = before
    told = {key: round(weight, 2) for key, weight in sorted(weights.items()) if abs(weight) >= 0.02}
    wrong = sum((bias + sum(told.get(key, 0.0) for key in keys) > 0) != attack for keys, attack, _ in rows)
    kept |= {"bias": round(bias, 2), "weights": told}
    said = f"{len(rows)} examples, {len(told)} weights, {wrong} on the wrong side"
    return json.dumps(kept, separators=(",", ":")) + "\n", said


def word_lists() -> dict[str, Any]:
    """Names, words, beginnings and phrases of all languages, and every word that is known."""
    names, words, beginnings = [""], dict[str, int](), dict[str, int]()
    phrases: dict[str, list[tuple[list[str], int]]] = {}
    for language in LANGUAGES:
        for line in (WORDS / f"{language}.txt").read_text(encoding="utf-8").splitlines():
            name, _, listed = line.partition(": ")
            if name not in names:
                names.append(name)
            concept = names.index(name)
            for word in canonical(listed).split():
                if word.endswith("*"):
                    beginnings.setdefault(word[:-1], concept)
                elif "_" in word:
                    first, second, *rest = word.split("_")
                    known = phrases.setdefault(f"{first} {second}", [])
                    if rest not in [other for other, _ in known]:
                        known.append((rest, concept))
                else:
                    words.setdefault(word, concept)
    for known in phrases.values():
        known.sort(key=lambda phrase: (-len(phrase[0]), phrase))
    parts = {part for pair, known in phrases.items() for rest, _ in known for part in (*pair.split(), *rest)}
    plain = {names.index(name) for name in lists.HARMLESS - {"mine"}}
    right = words.keys() | parts
    # Of words with the same letters the first in the alphabet; what is common in shops is never what was meant.
    spellings = {lists.spelling(word): word for word in sorted(right, reverse=True) if words.get(word) not in plain}
    # A word of a phrase that has the letters of another is meant as it is written.
    twins = {lists.spelling(word) for word in parts - words.keys() if spellings.get(lists.spelling(word), word) != word}
    spellings = {key: word for key, word in spellings.items() if key not in twins}
    # What stands in a harmless line was meant as it is written, so its letters stand for nothing else.
    meant = {lists.spelling(word) for word in _words_of("harmless") - right}
    spellings = {key: word for key, word in spellings.items() if len(word) >= lists.MISSPELLED and key not in meant}
    vocabulary = " ".join(sorted(filter(_can_be_cut, right | _words_of("attacks") | _words_of("harmless"))))
    kept = {"names": names, "words": words, "beginnings": beginnings, "phrases": phrases, "spellings": spellings}
    return kept | {"vocabulary": vocabulary}


def _words_of(kind: str) -> set[str]:
    texts = [line for language in LANGUAGES for _, line in lines(kind, language)]
    return {word for text in texts for word in scoring.words(canonical(text))}


def _can_be_cut(word: str) -> bool:
    return lists.SHORTEST_CUT <= len(word) <= lists.LONGEST_CUT and word.isalpha()


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


def examples(chance: random.Random) -> Iterator[Example]:
    """Features of a line, whether it is an attack, and its weight."""
    for kind in ("attacks", "harmless"):
        for language in LANGUAGES:
            for _, line in lines(kind, language):
                texts = sorted({spoken(line, chance) for _ in range(SAMPLE)})
                for text in texts:
                    yield _features(text), kind == "attacks", 1 / len(texts)
    # Two or three harmless lines at once: much said is no attack.
    for language in LANGUAGES:
        known = [line for _, line in lines("harmless", language)]
        for _ in range(TOGETHER):
            text = " ".join(spoken(chance.choice(known), chance) for _ in range(chance.choice((2, 3))))
            yield _features(text), False, TOGETHER_WEIGHT


def _features(text: str) -> frozenset[int]:
    unit = list(itertools.chain.from_iterable(scoring.concepts.of(scoring.words(canonical(text)))))
    return frozenset(scoring.features(scoring.trimmed(unit)[: scoring.LONG]))


def most(key: int) -> float:
    """How far above zero a feature's weight may be."""
    first, second = scoring.concepts.names[key >> 8], scoring.concepts.names[key & 255]
    if not second:
        return ALONE.get(first, 0.0)
    both = frozenset((first, second))
    if (
        len(both) == 1
        or both & lists.HARMLESS
        or both <= lists.BESIDE
        or both == {"drop", "others"}
        or not both - {"reveal", "give", "zero", "data"}
    ):
        return 0.0
    if both in COMMON_PAIRS:
        return COMMON_PAIRS[both]
    if both <= lists.BLUNT:
        return MOST if both in BLUNT_PAIRS else 0.0
    beside = both & lists.BESIDE
    return MOST if all(both & BESIDE_OF[name] for name in beside) else 0.0


def least(key: int) -> float:
    """How far below zero a feature's weight may be: two parts of an attack never speak against one."""
    names = scoring.concepts.names
    both = {names[key >> 8], names[key & 255] or names[key >> 8]}
    if both & lists.HARMLESS:
        return LEAST_HARMLESS
    return LEAST if both & (lists.BESIDE | lists.BLUNT) else 0.0


def train(rows: list[Example], chance: random.Random) -> tuple[float, dict[int, float]]:
    """Bias and weights, by stochastic gradient descent with steps that shrink (AdaGrad). Both sides count the same."""
    hostile = sum(weight for _, attack, weight in rows if attack)
    harmless = sum(weight for _, attack, weight in rows if not attack)
    bounds = {key: (least(key), most(key)) for keys, _, _ in rows for key in keys}
    weights, slopes = dict.fromkeys(bounds, 0.0), dict.fromkeys(bounds, 1e-8)
    bias, bias_slope, order = -1.0, 1e-8, list(rows)
    for _ in range(ROUNDS):
        chance.shuffle(order)
        for keys, attack, weight in order:
            odds = bias + sum([weights[key] for key in sorted(keys)])
            guess = 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
            wrong = (guess - attack) * weight * (1.0 if attack else hostile / harmless)
            bias_slope += wrong * wrong
            bias -= STEP * wrong / math.sqrt(bias_slope)
            for key in keys:
                slope = wrong + (PAIR_DECAY if key & 255 else DECAY) * weights[key]
                slopes[key] += slope * slope
                low, high = bounds[key]
                weights[key] = min(max(weights[key] - STEP * slope / math.sqrt(slopes[key]), low), high)
    return bias, weights


if __name__ == "__main__":
    sys.exit(main())
