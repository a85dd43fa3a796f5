"""What the input guard is compared with: a list of expressions as tutorials have it, and TF-IDF with a linear model."""

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence

from scripts import train_guard

# Fifteen lines of the kind that every "prompt injection regex" answer shows.
EXPRESSIONS = [
    re.compile(expression, re.IGNORECASE)
    for expression in (
        r"ignore (?:all |the |any )?(?:previous|prior|above) (?:instructions|prompts?|rules)",
        r"disregard (?:all |the )?(?:previous|prior|above)",
        r"forget (?:everything|all|your (?:rules|instructions))",
        r"(?:reveal|show|print|repeat) (?:me )?(?:your|the) (?:system )?(?:prompt|instructions)",
        r"you are now (?:a|an|dan)",
        r"act as (?:if|a|an)",
        r"pretend (?:to be|you are)",
        r"developer mode",
        r"jailbreak",
        r"do anything now",
        r"(?:ignora|olvida) (?:todas )?(?:las|tus) (?:instrucciones|reglas)",
        r"(?:ignore|esqueça) (?:todas )?(?:as|suas) (?:instruções|regras)",
        r"prompt (?:del|do) sistema",
        r"<\|im_start\|>|\[INST\]",
        r"<script",
    )
]
ROUNDS, STEP, DECAY = 12, 0.5, 1e-5


def expressions(text: str) -> float:
    """1 where one of them is found."""
    return float(any(expression.search(text) for expression in EXPRESSIONS))


def tf_idf() -> Callable[[str], float]:
    """Words and pairs of words, TF-IDF, logistic regression; trained on the lines that ours was trained on."""
    chance = random.Random(7)
    rows = [
        (_terms(train_guard.spoken(line, chance)), kind == "attacks")
        for kind in ("attacks", "harmless")
        for language in train_guard.LANGUAGES
        for _, line in train_guard.lines(kind, language)
        for _ in range(8)
    ]
    seen = Counter(term for terms, _ in rows for term in terms)
    rarity = {term: math.log(len(rows) / count) for term, count in seen.items() if count > 1}
    weights, bias = dict.fromkeys(rarity, 0.0), 0.0
    for _ in range(ROUNDS):
        chance.shuffle(rows)
        for terms, attack in rows:
            values = _values(terms, rarity)
            wrong = _chance(bias + sum(weights[term] * value for term, value in values.items())) - attack
            bias -= STEP * 0.1 * wrong
            for term, value in values.items():
                weights[term] -= STEP * (wrong * value + DECAY * weights[term])

    def guard(text: str) -> float:
        values = _values(_terms(text), rarity)
        return _chance(bias + sum(weights[term] * value for term, value in values.items()))

    return guard


def _terms(text: str) -> Counter[str]:
    words: Sequence[str] = re.findall(r"\w+", text.lower())
    return Counter([*words, *(f"{first} {second}" for first, second in itertools.pairwise(words))])


def _values(terms: Counter[str], rarity: dict[str, float]) -> dict[str, float]:
    values = {term: count * rarity[term] for term, count in terms.items() if term in rarity}
    length = math.sqrt(sum(value * value for value in values.values())) or 1.0
    return {term: value / length for term, value in values.items()}


def _chance(odds: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
