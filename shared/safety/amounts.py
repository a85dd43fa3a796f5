"""Prices and promises in a canonical text, in the forms of Spanish, Portuguese and English."""

import re
from itertools import combinations_with_replacement

_SIGNS = (
    "r$", "us$", "u$s", "mx$", "s/", "s/.", "ars", "brl", "mxn", "clp", "cop", "pen", "usd", "eur", "uyu", "$",
    "€", "£",
)  # fmt: skip
_WORDS = (
    "peso", "real", "reais", "sol", "dolar", "dollar", "buck", "euro", "guarani", "boliviano", "quetzal", "lempira",
    "colon",
)  # fmt: skip
_AFTER = _SIGNS + _WORDS
_SHARE = re.compile(r"(\d{1,3})\s?(?:%|por ciento|por cento|percent)")
# Longer ones are no price, and no float holds the longest.
_NUMBER = re.compile(r"\d[\d.,]{0,23}")
# A number of the business's without a sign is a price from here on: below it is an hour, a dozen, a size.
LEAST_UNSIGNED = 20
# An order is a sum of so many prices at most, and of one price so many pieces.
TERMS, PIECES = 3, 24
LISTED = 60

_PROMISES = {
    "free": """gratis|gratuito|sin costo|sin cargo|de graca|sem custo|free of charge|for free|free shipping""",
    "refund": """reembolso aprobado|reembolso fue aprobado|reembolso esta aprobado|aprobe tu reembolso
        |aprobe su reembolso|reembolso aprovado|reembolso foi aprovado|aprovei seu reembolso|estorno aprovado
        |refund approved|refund is approved|refund has been approved|refund was approved
        |approved your refund""",
    "binding": """legalmente vinculante|legalmente valid|juridicamente vinculante|legally binding|binding offer
        |acuerdo vinculante|acordo vinculante|no takesies""",
    "paid": """marcado como pagado|marcada como pagada|registrado como pagado|figura como pagado|marcado como pago
        |registrado como pago|consta como pago|marked as paid|registered as paid|recorded as paid""",
    "guarantee": """te garantizo|le garantizo|garantizamos|te garanto|lhe garanto|garantimos|i guarantee
        |we guarantee""",
}
# Without one of these there is no promise of the kind.
_STEMS = {
    "free": ("grat", "costo", "cargo", "custo", "graca", "free"),
    "refund": ("reemb", "estorno", "refund"),
    "binding": ("bind", "vincul", "valid", "takes"),
    "paid": ("paid", "pag"),
    "guarantee": ("arant",),
}
_KINDS = {kind: [phrase.strip() for phrase in phrases.split("|")] for kind, phrases in _PROMISES.items()}


def value_of(number: str) -> float:
    """1.234,50 and 1,234.50 and 1234.5 are the same; three digits after the last sign are thousands."""
    number = number.strip(".,").replace(",", ".")
    whole, sign, rest = number.rpartition(".")
    if sign and len(rest) < 3:
        return float(f"{whole.replace('.', '')}.{rest}")
    return float(number.replace(".", ""))


def prices_in(low: str, *, unsigned: bool = False) -> set[float]:
    """Amounts with a sign or a word of money; with `unsigned` also numbers that may be prices of a list."""
    found = set()
    for match in _NUMBER.finditer(low):
        start, end = match.start(), match.start() + len(match[0].rstrip(".,"))
        before, after = low[max(0, start - 4) : start].rstrip(), low[end : end + 12].lstrip()
        is_price = before.endswith(_SIGNS) or after.startswith(_AFTER)
        if is_price or (unsigned and value_of(match[0]) >= LEAST_UNSIGNED):
            found.add(value_of(match[0]))
    return found


def shares_in(low: str) -> set[str]:
    """Parts of a hundred."""
    return set(_SHARE.findall(low)) if "%" in low or "cent" in low or "ciento" in low else set()


def is_sum_of(amount: float, known: set[float]) -> bool:
    """Whether an amount is known, so many pieces of a known one, or a sum of a few of them, as an order's total is."""
    if amount in known:
        return True
    cents, listed = round(amount * 100), [round(number * 100) for number in sorted(known)[:LISTED] if number]
    pieces = {price * count for price in listed for count in range(1, PIECES)}
    below = [price for price in listed if price < cents]
    return any(
        cents - sum(some) in pieces for terms in range(TERMS) for some in combinations_with_replacement(below, terms)
    )


def promises_in(low: str) -> set[str]:
    """Kinds of promises."""
    likely = [kind for kind, stems in _STEMS.items() if any(stem in low for stem in stems)]
    low = " ".join(low.split()) if likely else ""
    return {kind for kind in likely if any(phrase in low for phrase in _KINDS[kind])}
