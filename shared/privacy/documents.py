"""Check digits of documents and cards, and the documents that hold letters.

Sources: Receita Federal (CPF; CNPJ, since July 2026 with letters: each character counts as its ASCII code minus 48,
IN RFB 2.229/2024), AFIP/ARCA (CUIT and CUIL), SII of Chile (RUT), RENAPO (CURP), SAT (RFC), ISO/IEC 7812-1 (Luhn).
"""

from shared.privacy.patterns import Pattern

_CNPJ_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)

# Where a document of letters and digits may begin: four signs of it are enough to try.
LETTERED = Pattern(
    r"""(?x)
    (?: (?P<curp> [A-Z]{4}[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[HMX][A-Z]{5}[A-Z0-9][0-9] )
      | (?P<rfc> [A-ZÑ&]{3,4}-?[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])-?[A-Z0-9]{3} )
      | (?P<cnpj> [A-Z0-9]{2}\.?[A-Z0-9]{3}\.?[A-Z0-9]{3}/?[A-Z0-9]{4}-?[0-9]{2} )
      | (?P<contact> [A-Z]{2}\.(?=[A-Za-z]{0,40}[0-9])[A-Za-z0-9]{11,}
          | (?:A[R]|B[OR]|C[ALORU]|DO|E[CS]|SV|GT|HN|MX|NI|P[AERTY]|UY|VE|US)\.[A-Za-z]{16,} )
    ) (?![A-Za-z0-9])
    """
)


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others: doubled from the right, every second one (ISO/IEC 7812-1)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = ord(char) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def is_card(digits: str) -> bool:
    """A number of 13 to 19 digits that opens like a card's issuer and keeps Luhn's rule."""
    opens = digits[0] == "4" or digits[:2] in _ISSUERS or "2221" <= digits[:4] <= "2720"
    return opens and len(digits) in (15, 16) and (len(digits) == 15) == (digits[:2] in ("34", "37")) and luhn(digits)


_ISSUERS = frozenset(("34", "37", "50", "51", "52", "53", "54", "55", "58", "60", "62", "63", "64", "65", "67"))


def is_cpf(digits: str) -> bool:
    """Eleven digits, the last two are weighted sums modulo 11; eleven equal ones keep the rule and are nobody's."""
    if len(set(digits)) == 1:
        return False
    for count in (9, 10):
        total = sum((ord(char) - 48) * (count + 1 - place) for place, char in enumerate(digits[:count]))
        if (total * 10 % 11) % 10 != ord(digits[count]) - 48:
            return False
    return True


def is_cnpj(characters: str) -> bool:
    """Fourteen characters, the last two are weighted sums modulo 11 of the others' codes minus 48."""
    if len(set(characters)) == 1:
        return False
    for count in (12, 13):
        weights = _CNPJ_WEIGHTS[13 - count :]
        rest = sum((ord(char) - 48) * weight for char, weight in zip(characters, weights, strict=False)) % 11
        if (0 if rest < 2 else 11 - rest) != ord(characters[count]) - 48:
            return False
    return True


def is_cuit(digits: str) -> bool:
    """Eleven digits that open with a kind of person; the last is a weighted sum modulo 11."""
    if digits[:2] not in ("20", "23", "24", "25", "26", "27", "30", "33", "34"):
        return False
    total = sum((ord(char) - 48) * weight for char, weight in zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False))
    return (11 - total % 11) % 11 == ord(digits[10]) - 48


def is_rut(digits: str, check: str) -> bool:
    """Seven or eight digits and their check, 0 to 9 or K, by weights 2 to 7 from the right."""
    total = sum((ord(char) - 48) * (2 + place % 6) for place, char in enumerate(reversed(digits)))
    return "0123456789K"[(11 - total % 11) % 11] == check.upper()
