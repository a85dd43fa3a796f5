"""Which of our languages a browser asks for (Accept-Language, RFC 9110 12.5.4)."""

import re

LANGUAGES = ("es", "pt", "en")
OTHERWISE = "en"

_RANGE = re.compile(r"\s*([A-Za-z]{2})(?:-[A-Za-z0-9-]{1,40})?\s*(?:;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?")


def preferred(header: str) -> str:
    """The language of LANGUAGES with the highest weight, the first of equals; OTHERWISE when there is none."""
    best, best_weight = OTHERWISE, 0.0
    for part in header.split(",")[:20]:
        found = _RANGE.fullmatch(part)
        if found is None or found.group(1).lower() not in LANGUAGES:
            continue
        weight = float(found.group(2) or 1)
        if weight > best_weight:
            best, best_weight = found.group(1).lower(), weight
    return best
