"""The odds of a canonical text: its sentences, alone and two together, and the most suspicious counts.

Whole texts dilute: an order of three lines with one line of attack below would pass.
"""

import math
from collections.abc import Iterator

from shared.safety import concepts as lists

# Small letters and digits are words; what ends a sentence is a full stop; everything else is space.
_KINDS = (
    bytes(code if chr(code).isalnum() else ord(".") if chr(code) in ".!?;:\n\r" else ord(" ") for code in range(128))
    + b"." * 128
)
# A sentence of more concepts is also read in overlapping windows, and one of very many only so.
WINDOW, LONG = 8, 28
# Two concepts with so many others between them are no pair.
REACH = 6
# Odds are learned on short lines; so much further from a half is how sure the guard is of them.
SHARPNESS = 2.5

concepts = lists.read()


def words(low: str) -> list[str]:
    """The words of a canonical text; a full stop is one too."""
    kinds = low.encode("ascii", "replace").translate(_KINDS)
    return kinds.replace(b".", b" . ").decode("ascii").split()


def units(found: list[list[int]]) -> Iterator[list[int]]:
    """The concepts of what is judged together, where there is something to judge."""
    accusing = concepts.accusing
    before: list[int] = []
    for here in found:
        is_accused = not accusing.isdisjoint(here)
        if is_accused and len(here) > WINDOW:
            for first in range(0, len(here) - WINDOW // 2, WINDOW // 2):
                yield trimmed(here[first : first + WINDOW])
        if len(here) > LONG:
            here = here[-WINDOW:]
        elif is_accused:
            yield trimmed(here)
        if before and here and (is_accused or not accusing.isdisjoint(before)):
            yield trimmed(before + here)
        before = here


def trimmed(unit: list[int]) -> list[int]:
    """Without what shops are asked before and after: an order around it does not make an attack harmless."""
    around = concepts.around
    first, last = 0, len(unit)
    while first < last and unit[first] in around:
        first += 1
    while last > first and unit[last - 1] in around:
        last -= 1
    return unit[first:last]


def features(unit: list[int]) -> set[int]:
    """Each concept, and each ordered pair within reach."""
    reach = REACH + 1
    found = {high << 8 | low for place, high in enumerate(unit) for low in unit[place + 1 : place + reach]}
    found.update([concept << 8 for concept in unit])
    return found


def odds(found: list[list[int]]) -> tuple[float, set[int]]:
    """Log-odds of the most suspicious unit of a text, and its features; the bias alone where nothing accuses."""
    weights, bias = concepts.weights, concepts.bias
    best: float = bias
    why: set[int] = set()
    for unit in units(found):
        keys = features(unit) & weights.keys()
        total = bias + sum([weights[key] for key in keys])
        if total > best:
            best, why = total, keys
    return best, why


def reasons(keys: set[int]) -> list[str]:
    """The three features that speak most for an attack, as `drop+rules`."""
    said = sorted((key for key in keys if concepts.weights[key] > 0), key=lambda key: -concepts.weights[key])
    names = concepts.names
    return [f"{names[key >> 8]}+{names[key & 255]}".rstrip("+") for key in said[:3]]


def probability(log_odds: float) -> float:
    """In [0, 1], and above a half what is more likely an attack than not."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, SHARPNESS * log_odds))))
