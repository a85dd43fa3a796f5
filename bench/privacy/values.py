"""Made-up values of every class that must be masked, and of every class that must stay: one function a class.

Formats: reference/pii.md section 4 of the project; check digits are right where a format has them, since masking may
rely on that.
"""

import base64
import string
from collections.abc import Callable
from random import Random

Maker = Callable[[Random], str]
HEX, DIGITS, LETTERS = "0123456789abcdef", string.digits, string.ascii_letters
ALNUM = LETTERS + DIGITS
URL_SAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"
UPPER_ALNUM = string.ascii_uppercase + DIGITS


def some(rng: Random, alphabet: str, count: int) -> str:
    """`count` characters of the alphabet."""
    return "".join(rng.choices(alphabet, k=count))


# -- phones ------------------------------------------------------------------------------------------------------------


def wa_id(rng: Random) -> str:
    """Digits only, as WhatsApp has them: Mexico with 521, Argentina with 549, Brazil with and without its ninth."""
    make = rng.choice(
        [
            lambda: "549" + rng.choice(["11", "351", "341", "261", "2966", "221"]),
            lambda: "55" + rng.choice(["11", "21", "31", "71", "85"]) + "9",
            lambda: "55" + rng.choice(["47", "51", "62"]) + rng.choice("6789"),
            lambda: "521" + rng.choice(["55", "33", "81", "998"]),
            lambda: "52" + rng.choice(["55", "33", "81"]),
            lambda: "569",
            lambda: "573" + rng.choice("0125"),
            lambda: "519",
            lambda: "5939",
            lambda: "591" + rng.choice("67"),
            lambda: "5959" + rng.choice("6789"),
            lambda: "5989",
            lambda: "584" + rng.choice("12"),
            lambda: "506" + rng.choice("678"),
            lambda: "502" + rng.choice("345"),
            lambda: "1809" + rng.choice("2345678"),
            lambda: "346",
        ]
    )
    start = make()
    lengths = {"549": 13, "521": 13, "52": 12, "569": 11, "573": 12, "519": 11, "593": 12, "591": 11, "595": 12}
    lengths |= {"598": 11, "584": 12, "506": 11, "502": 11, "180": 11, "346": 11}
    if start.startswith("55"):
        length = 13 if start[4:5] == "9" and len(start) == 5 and start[2:4] not in ("47", "51", "62") else 12
    else:
        length = lengths.get(start[:3], lengths.get(start[:2], 12))
    return start + some(rng, DIGITS, length - len(start))


def _spaced(rng: Random, digits: str, gap: str) -> str:
    tail = digits[-4:]
    middle = digits[-8:-4]
    head = digits[:-8]
    country = 3 if head[:3] in ("593", "591", "595", "598", "506", "502") else 1 if head[0] == "1" else 2
    parts = [head[:country], head[country:], middle, tail]
    return gap.join(part for part in parts if part)


def phone_plus(rng: Random) -> str:
    return "+" + wa_id(rng)


def phone_spaced(rng: Random) -> str:
    return "+" + _spaced(rng, wa_id(rng), rng.choice([" ", "-", ".", "\u00a0", "\u2011", "\u2013", " - "]))


def phone_zero_zero(rng: Random) -> str:
    digits = wa_id(rng)
    return rng.choice(["00" + digits, "00 " + _spaced(rng, digits, " ")])


def phone_brackets(rng: Random) -> str:
    area, middle, tail = rng.choice(["11", "21", "351", "55"]), some(rng, DIGITS, 4), some(rng, DIGITS, 4)
    form = rng.choice(["({a}) {m}-{t}", "+54 ({a}) {m}-{t}", "+55 ({b}) 9{m}-{t}", "({b}) 9{m}-{t}", "(0{a}) {m}-{t}"])
    middle = rng.choice("23456789") + middle[1:]
    if area == "351":
        middle = middle[:3]
    return form.format(a=area, b=rng.choice(["11", "21", "85"]), m=middle, t=tail)


def phone_national(rng: Random) -> str:
    m, t, d = rng.choice("456789") + some(rng, DIGITS, 3), some(rng, DIGITS, 4), some(rng, DIGITS, 3)
    return rng.choice(
        [
            f"11 {m}-{t}",
            f"011 15 {m}-{t}",
            f"011 15-{m}-{t}",
            f"0351 15-{m[:3]}-{t}",
            f"11 9{m}-{t}",
            f"11 9 {m}-{t}",
            f"55 {m} {t}",
            f"300 {d} {t}",
            f"0414-{d}{t}",
            f"0981 {m[:3]} {d}",
            f"9 {m} {t}",
            f"099 {m[:3]} {d}",
        ]
    )


def phone_foreign_digits(rng: Random) -> str:
    zero = rng.choice([0xFF10, 0x0660, 0x06F0])
    plus = "\uff0b" if zero == 0xFF10 else "+"
    return plus + "".join(chr(zero + int(digit)) for digit in wa_id(rng))


def phone_invisible(rng: Random) -> str:
    digits = wa_id(rng)
    if rng.random() < 0.5:
        return f"\u202a+{_spaced(rng, digits, ' ')}\u202c"
    place = rng.randrange(3, 9)
    return f"{digits[:place]}\u200b{digits[place:]}"


def phone_encoded_plus(rng: Random) -> str:
    return rng.choice(["%2B", "%252B", "&#43;"]) + wa_id(rng)


def phone_link(rng: Random) -> str:
    return rng.choice(["https://wa.me/{}", "tel:+{}", "whatsapp:+{}", "https://api.whatsapp.com/send?phone={}"]).format(
        wa_id(rng)
    )


def phone_float(rng: Random) -> str:
    return f"{wa_id(rng)}.0"


def jid(rng: Random) -> str:
    digits = wa_id(rng)
    return rng.choice(
        [
            f"{digits}@s.whatsapp.net",
            f"{digits}:12@s.whatsapp.net",
            f"{digits}@c.us",
            f"{digits}-1612345678@g.us",
            f"{some(rng, DIGITS, 15)}@lid",
        ]
    )


def bsuid(rng: Random) -> str:
    return (
        rng.choice(["AR", "BR", "MX", "US", "CL"]) + "." + some(rng, rng.choice([DIGITS, ALNUM]), rng.randint(18, 24))
    )


def group_id(rng: Random) -> str:
    raw = f"capi_group:{wa_id(rng)}:{some(rng, DIGITS, 18)}".encode()
    return base64.b64encode(raw).decode().rstrip("=")


def wamid(rng: Random) -> str:
    phone, tail = wa_id(rng).encode(), some(rng, "0123456789ABCDEF", rng.choice([18, 20, 32])).encode()
    kind = rng.choice([b"\x11", b"\x12"])
    raw = b"\x1c\x18" + bytes([len(phone)]) + phone + b"\x15\x02\x00" + kind + b"\x18" + bytes([len(tail)]) + tail
    return "wamid." + base64.b64encode(raw + b"\x00").decode()


# -- e-mail, documents, cards, addresses -------------------------------------------------------------------------------


def email(rng: Random) -> str:
    name = rng.choice(["ana", "luis.garcia", "joao_silva", "M.Fernandez", "bia", "camila-r"]) + some(rng, DIGITS, 2)
    host = rng.choice(["exemplo.com.br", "correo.com.ar", "gmail.com", "empresa.cl", "tienda.mx"])
    return rng.choice([f"{name}@{host}", f"{name}+loja@{host}", f"{name}@{host}".upper()])


def email_odd(rng: Random) -> str:
    name = "ana" + some(rng, DIGITS, 3)
    return rng.choice(
        [
            f"{name}@peña-hnos.com.ar",
            f"{name}@xn--pea-hnos-j3a.com.ar",
            f'"{name} souza"@exemplo.com.br',
            f"{name}%40exemplo.com",
            f"{name}%2540exemplo.com.br",
            f"mu\\u00f1oz{name}@exemplo.com",
            f"jos\\xe9{name}@exemplo.com",
            f"muñoz.{name}@exemplo.com",
        ]
    )


def _mod11(digits: str, weights: list[int]) -> int:
    return sum((ord(char) - 48) * weight for char, weight in zip(digits, weights, strict=True)) % 11


def cpf(rng: Random) -> str:
    digits = some(rng, DIGITS, 9)
    for count in (10, 11):
        rest = _mod11(digits, list(range(count, 1, -1)))
        digits += str(0 if rest < 2 else 11 - rest)
    return rng.choice([digits, f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"])


def _cnpj(rng: Random, alphabet: str) -> str:
    body = some(rng, alphabet, 8) + "000" + rng.choice("123")
    for start in (5, 6):
        weights = [*range(start, 1, -1), *range(9, 1, -1)]
        rest = _mod11(body, weights)
        body += str(0 if rest < 2 else 11 - rest)
    return rng.choice([body, f"{body[:2]}.{body[2:5]}.{body[5:8]}/{body[8:12]}-{body[12:]}"])


def cnpj(rng: Random) -> str:
    return _cnpj(rng, DIGITS)


def cnpj_letters(rng: Random) -> str:
    while True:
        made = _cnpj(rng, UPPER_ALNUM)
        if sum(char.isalpha() for char in made) >= 2:
            return made


def cuit(rng: Random) -> str:
    while True:
        digits = rng.choice(["20", "23", "24", "27", "30", "33"]) + some(rng, DIGITS, 8)
        check = (11 - _mod11(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2])) % 11
        if check < 10:
            digits += str(check)
            return rng.choice([digits, f"{digits[:2]}-{digits[2:10]}-{digits[10]}"])


def dni(rng: Random) -> str:
    digits = rng.choice("1234") + some(rng, DIGITS, 7)
    shown = rng.choice([digits, f"{digits[:2]}.{digits[2:5]}.{digits[5:]}"])
    return rng.choice(["DNI ", "dni: ", "DNI N° ", "documento ", "dni="]) + shown


def rut(rng: Random) -> str:
    digits = str(rng.randint(5_000_000, 26_000_000))
    total = sum(int(char) * (2 + place % 6) for place, char in enumerate(reversed(digits)))
    check = "0123456789K"[(11 - total % 11) % 11]
    dotted = f"{int(digits):,}".replace(",", ".")
    return rng.choice([f"{digits}-{check}", f"{dotted}-{check}", f"{dotted}-{check.lower()}"])


def _birth(rng: Random) -> str:
    return f"{rng.randint(50, 99)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"


def curp(rng: Random) -> str:
    upper = string.ascii_uppercase
    return (
        some(rng, upper, 4) + _birth(rng) + rng.choice("HM") + some(rng, upper, 5) + some(rng, UPPER_ALNUM, 1)
    ) + some(rng, DIGITS, 1)


def rfc(rng: Random) -> str:
    return some(rng, string.ascii_uppercase, rng.choice([3, 4])) + _birth(rng) + some(rng, UPPER_ALNUM, 3)


def card(rng: Random) -> str:
    prefix, length = rng.choice([("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16)])
    digits = prefix + some(rng, DIGITS, length - len(prefix) - 1)
    total = 0
    for place, char in enumerate(reversed(digits)):
        double = int(char) * (2 if place % 2 == 0 else 1)
        total += double - 9 if double > 9 else double
    digits += str(-total % 10)
    gap = rng.choice(["", " ", "-"])
    if length == 15:
        return gap.join([digits[:4], digits[4:10], digits[10:]])
    return gap.join(digits[place : place + 4] for place in range(0, 16, 4))


def ipv4(rng: Random) -> str:
    return ".".join(str(rng.randint(1, 254)) for _ in range(4))


def ipv6(rng: Random) -> str:
    parts = [f"{rng.randrange(0x1000, 0xFFFF):x}" for _ in range(8)]
    return rng.choice([":".join(parts), "2800:" + ":".join(parts[:3]) + "::" + parts[4], "2001:db8::" + parts[0]])


PERSONAL: dict[str, Maker] = {
    "wa_id": wa_id,
    "phone +": phone_plus,
    "phone spaced": phone_spaced,
    "phone 00": phone_zero_zero,
    "phone (area)": phone_brackets,
    "phone national": phone_national,
    "phone foreign digits": phone_foreign_digits,
    "phone invisible": phone_invisible,
    "phone %2B": phone_encoded_plus,
    "phone link": phone_link,
    "phone float": phone_float,
    "jid": jid,
    "bsuid": bsuid,
    "group id": group_id,
    "wamid": wamid,
    "email": email,
    "email odd": email_odd,
    "cpf": cpf,
    "cnpj": cnpj,
    "cnpj letters": cnpj_letters,
    "cuit": cuit,
    "dni": dni,
    "rut": rut,
    "curp": curp,
    "rfc": rfc,
    "card": card,
    "ipv4": ipv4,
    "ipv6": ipv6,
}
