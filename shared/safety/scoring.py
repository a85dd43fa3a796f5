"""The score of a canonical text: its sentences, alone and two together, and the highest of them counts.

Whole texts dilute: an order of three lines with one line of attack below would pass.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from shared.safety.concepts import Concepts, Weights

# Small letters and digits are words; what ends a sentence is a full stop; everything else is space.
_KINDS = bytes(
    code if chr(code).islower() or chr(code).isdigit() else ord(".") if chr(code) in ".!?;:\n\r" else ord(" ")
    for code in range(256)
)
_KINDS = _KINDS[:128] + b"." * 128
# A sentence of fewer words goes with the next one; one of more is cut into overlapping windows.
SHORT, LONG = 4, 28
# Two concepts with so many others between them are no pair.
REACH = 6

concepts = Concepts()
_AROUND = frozenset(concepts.names.index(name) for name in ("shop", "ask", "life", "me"))
weights = Weights(Path(__file__).parent / "concepts" / "weights.json", concepts)


def sentences(text: str) -> list[list[str]]:
    """The words of a canonical text, by sentence."""
    plain = text.encode("ascii", "replace").translate(_KINDS).decode()
    found: list[list[str]] = []
    for part in plain.split("."):
        words = part.split()
        if not words:
            continue
        if found and len(found[-1]) < SHORT:
            found[-1] += words
        else:
            found.append(words)
    return found


def units(found: list[list[str]]) -> Iterator[list[int]]:
    """The concepts of what is scored together."""
    before: list[int] = []
    for words in found:
        here = concepts.of(words)
        if len(here) <= LONG:
            yield here
            yield before + here
        else:
            for first in range(0, len(here), LONG // 2):
                yield here[first : first + LONG]
        before = here[-LONG:]


def trimmed(unit: list[int]) -> list[int]:
    """Without what shops are asked before and after: an order around it does not make an attack harmless."""
    first, last = 0, len(unit)
    while first < last and unit[first] in _AROUND:
        first += 1
    while last > first and unit[last - 1] in _AROUND:
        last -= 1
    return unit[first:last]


def features(unit: list[int]) -> set[int]:
    """Each concept, and each ordered pair within reach."""
    found = set(unit)
    found = {concept << 8 for concept in found}
    for place, concept in enumerate(unit):
        high = concept << 8
        for other in unit[place + 1 : place + 1 + REACH]:
            found.add(high | other)
    return found


def score(found: list[list[str]]) -> tuple[float, set[int]]:
    """Log-odds of the most suspicious unit, and its features."""
    best, why = weights.bias, set()
    of = weights.of
    for unit in units(found):
        unit = trimmed(unit)
        if not unit:
            continue
        keys = features(unit)
        total = weights.bias + sum([of[key] for key in keys if key in of])
        if total > best:
            best, why = total, keys
    return best, why


def reasons(keys: set[int]) -> list[str]:
    """The three features that speak most for an attack, as `drop+rules`."""
    said = sorted((key for key in keys if weights.of.get(key, 0.0) > 0), key=lambda key: -weights.of[key])
    names = concepts.names
    return [names[key >> 8] + ("+" + names[key & 255] if key & 255 else "") for key in said[:3]]


def probability(odds: float) -> float:
    """In [0, 1]."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
