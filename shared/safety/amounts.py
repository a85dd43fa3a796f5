"""Prices and promises in a canonical text, in the forms of Spanish, Portuguese and English."""

import re
from functools import cached_property
from itertools import combinations_with_replacement

_SIGNS = (
    "r$", "us$", "u$s", "mx$", "s/", "s/.", "ars", "brl", "mxn", "clp", "cop", "pen", "usd", "eur", "uyu", "$",
    "€", "£",
)  # fmt: skip
_WORDS = (
    "peso", "real", "reais", "sol", "dolar", "dollar", "buck", "euro", "guarani", "boliviano", "quetzal", "lempira",
    "colon",
)  # fmt: skip
_SHARE_SIGNS = ("%", "por ciento", "por cento", "percent")
# What stands before the sign: three digits and a space at most.
_SHARE, _SHARE_LENGTH = re.compile(r"(\d{1,3})\s?$"), 4
# Longer ones are no price, and no float holds the longest.
_NUMBER = re.compile(r"\d[\d.,]{0,23}")
# A number with a sign before it, up to three spaces away, or with a sign or a word behind it. By one expression that
# leaps from digit to digit; looking for each sign takes twice as long.
_BEFORE = "|".join(
    rf"(?<={sign}{spaces}\d)"
    for spaces in ("", r"\s", r"\s\s", r"\s\s\s")
    for sign in (r"[$€£]", r"(?:ars|brl|mxn|clp|cop|pen|usd|eur|uyu|u\$s|s/\.)", "s/")
)
_BEHIND = rf"[\d.,]{{0,23}}+(?<![.,])(?=\s{{0,11}}+(?:{'|'.join(map(re.escape, _SIGNS + _WORDS))}))"
_PRICE = re.compile(rf"\d(?<!\d\d)(?:(?:{_BEFORE})[\d.,]{{0,23}}|{_BEHIND})")
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
# Without one of these there is no promise of the kind, and its phrases need not be looked for.
_STEMS = {
    "free": ("grat", "sinc", "degraca", "semcusto", "free"),
    "refund": ("reembolso", "estorno", "refund"),
    "binding": ("vinculante", "ntevalid", "binding", "takesies"),
    "paid": ("comopag", "aspaid"),
    "guarantee": ("arant",),
}
# Spaces and lines make no difference to a promise.
_SPACES = bytes(code for code in range(128) if chr(code).isspace())
_KINDS = {kind: ["".join(phrase.split()) for phrase in phrases.split("|")] for kind, phrases in _PROMISES.items()}


def value_of(number: str) -> float:
    """1.234,50 and 1,234.50 and 1234.5 are the same; three digits after the last sign are thousands."""
    number = number.strip(".,").replace(",", ".")
    whole, sign, rest = number.rpartition(".")
    if sign and len(rest) < 3:
        return float(f"{whole.replace('.', '')}.{rest}")
    return float(number.replace(".", ""))


def prices_in(low: str, *, unsigned: bool = False) -> set[float]:
    """Amounts with a sign or a word of money; with `unsigned` also numbers that may be prices of a list."""
    amounts = set(map(value_of, _PRICE.findall(low)))
    if unsigned:
        amounts |= {value for value in map(value_of, _NUMBER.findall(low)) if value >= LEAST_UNSIGNED}
    return amounts


def shares_in(low: str) -> set[str]:
    """Parts of a hundred."""
    found = set()
    for sign in _SHARE_SIGNS:
        for before in low.split(sign)[:-1] if sign in low else ():
            found.update(_SHARE.findall(before[-_SHARE_LENGTH:]))
    return found


class Prices:
    """The amounts that a business names, and what an order may come to."""

    def __init__(self, amounts: set[float]) -> None:
        self._amounts = amounts
        self._listed = [round(amount * 100) for amount in sorted(amounts)[:LISTED] if amount]

    @cached_property
    def _pieces(self) -> set[int]:
        return {price * count for price in self._listed for count in range(1, PIECES)}

    @cached_property
    def _sums(self) -> set[int]:
        return {sum(some) for terms in range(TERMS) for some in combinations_with_replacement(self._listed, terms)}

    def come_to(self, amount: float) -> bool:
        """Whether an amount is one of them, so many pieces of one, or a sum of a few, as an order's total is."""
        if amount in self._amounts:
            return True
        cents = round(amount * 100)
        return not self._pieces.isdisjoint([cents - some for some in self._sums])


def promises_in(low: str) -> set[str]:
    """Kinds of promises."""
    letters = low.encode("ascii", "ignore").translate(None, _SPACES).decode("ascii")
    return {
        kind
        for kind, phrases in _KINDS.items()
        if any(stem in letters for stem in _STEMS[kind]) and any(phrase in letters for phrase in phrases)
    }
