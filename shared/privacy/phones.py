"""Which digits are a telephone number: the plans of Latin America, and of the places its people write from.

WhatsApp keeps its own form (wa_id): digits only, Mexico with 521, Argentina with 549, Brazil often without the ninth
digit. Lengths and openings follow the national numbering plans as ITU-T E.164 lists them.
"""

from shared.privacy.patterns import Pattern

# Long and particular enough to be a number wherever they stand: of a million random ids of that length a few thousand
# look like this.
CERTAIN = Pattern(
    r"""(?x)
    549(?:11|2[2-9]|3[2-8])[0-9]{8}
  | 521[2-9][0-9]{9}
  | 55[1-9][1-9](?:9[0-9]{8}|[6-9][0-9]{7})
  | 573[0-9]{9}
  | 584[12][0-9]{8}
  | 52(?:55|33|81|[2-9][0-9])[0-9]{8}
    """
)
# Mobiles of the plans with eleven digits: only what is named an order, a payment and the like is none.
MOBILE = Pattern(
    r"569[0-9]{8}|519[0-9]{8}|5939[0-9]{8}|591[67][0-9]{7}|5959[0-9]{8}|5989[0-9]{7}|50[2-8][2-9][0-9]{7}"
    r"|1(?:809|829|849|787|939)[2-9][0-9]{6}|34[67][0-9]{8}"
)
# Numbers too, unless their surroundings name them as something else: an order, a payment, an id.
LIKELY = Pattern(
    r"""(?x)
    54(?:11|2[2-9]|3[2-8])[0-9]{8}
  | 55[1-9][1-9][2-5][0-9]{7}
  | 56[2-9][0-9]{8} | 51[1-9][0-9]{7,8} | 57(?:60|[1-8])[0-9]{7,8} | 58[24][0-9]{9}
  | 593[2-7][0-9]{7} | 5939[0-9]{8} | 591[2-46-7][0-9]{7} | 595[2-9][0-9]{8} | 598[249][0-9]{7}
  | 50[1-9][2-9][0-9]{7} | 507[2-9][0-9]{6} | 53[2-7][0-9]{7}
  | 1[2-9][0-9]{2}[2-9][0-9]{6}
  | 34[6-9][0-9]{8} | 351[29][0-9]{8} | 39[0-9]{10} | 33[1-79][0-9]{8} | 447[0-9]{9} | 491[5-7][0-9]{8,9}
  | [1-9][1-9]9[0-9]{8}                # Brazil, with its area
  | 0(?:11|2[2-9][0-9]|3[2-8][0-9])(?:15)?[0-9]{7,8} | 04[12][0-9]{8} | 09[0-9]{8}
    """
)

# A national number as people write it: grouped, which an id rarely is.
NATIONAL = Pattern(
    r"""(?x)
    \(0?[1-9][0-9]{1,3}\)[ .-]?(?:15[ -]?|9[ -]?)?[0-9]{2,5}[ .-]?[0-9]{4}
  | 0[1-9][0-9]{0,3}[ -](?:15[ -]?)?[0-9]{2,4}[ -][0-9]{4}
  | 0[1-9][0-9]{1,3}[ -](?:15[ -]?)?(?:[0-9]{3}[ -][0-9]{3}|[0-9]{6,8})
  | 04[12][0-9][ -][0-9]{3}[ -][0-9]{2}[ -][0-9]{2}
  | [1-9][0-9]{1,3}[ -](?:15|9)[ -]?[0-9]{3,4}[ -][0-9]{4}
  | [1-9][0-9][ .-]9?[0-9]{4}[ .-][0-9]{4}
  | [2-9][0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}
  | [23][0-9]{3}[ -][0-9]{2,3}[ -][0-9]{4}
  | 9[ -][0-9]{4}[ -][0-9]{4}
  | [679][0-9]{2}[ -][0-9]{3}[ -][0-9]{3}
    """
)

# How many digits a number has with its country; the longest match of what is there counts.
_LENGTHS = (
    ("549", (13,)),
    ("54", (12,)),
    ("55", (13, 12)),
    ("521", (13,)),
    ("52", (12,)),
    ("56", (11,)),
    ("57", (12, 11, 10)),
    ("51", (11, 10)),
    ("58", (12,)),
    ("53", (10,)),
    ("591", (11,)),
    ("593", (12, 11)),
    ("595", (12, 11)),
    ("598", (11,)),
    ("50", (11, 10)),
    ("1", (11,)),
    ("34", (11,)),
    ("351", (12,)),
    ("39", (12, 13, 11)),
    ("33", (11,)),
    ("44", (12, 11)),
    ("49", (13, 12)),
)
COUNTRIES = frozenset(country for country, _ in _LENGTHS if country != "50") | {f"50{last}" for last in range(1, 10)}
_BY_COUNTRY = dict(_LENGTHS)


def end_of_international(groups: list[tuple[int, int]], first: int, digits: list[str], country: str) -> int:
    """The index behind the last group of a number that opens at `first` with a plus or 00; 0 if it is none.

    `country` holds the digits of the first groups, without plus or 00.
    """
    wanted = _lengths_of(country)
    count = len(digits[first]) - (2 if digits[first].startswith("00") else 0)
    fits: dict[int, int] = {}
    index = first + 1
    while count <= 15:
        fits[count] = index
        if index >= len(groups):
            break
        count += len(digits[index])
        index += 1
    for length in wanted:
        if length in fits:
            return fits[length]
    most = max((length for length in fits if 8 <= length <= 15), default=0)
    return fits.get(most, 0)


def _lengths_of(country: str) -> tuple[int, ...]:
    for size in (3, 2, 1):
        if country[:size] in _BY_COUNTRY:
            return _BY_COUNTRY[country[:size]]
    return ()
