"""Names that stand for a customer in the log: the same customer, the same name, and no way back without the key.

A pseudonym is `<kind>~<version>.<12 characters>`, such as `contact~417.k7f3mq2xw9pd`: 60 bits of HMAC-SHA-256 over the
kind and the normalised value. The masker leaves it alone. PSEUDONYM_KEY is a list like every secret: the newest key
names, and the older ones let support find what they named, until they expire with the lines of their time
(docs/decisions/0008, scripts/lookup_pseudonym.py).
"""

import hmac
import re
import unicodedata
from base64 import b32encode
from contextlib import suppress
from typing import Literal

from shared.cloud.parameters import live
from shared.settings import Secret

# `contact`: whom a business talks to, by the number or, where there is none, by the provider's id.
Kind = Literal["contact", "phone", "email"]

MAXIMUM_VALUE = 320
SIGNS = 12

_ADDRESS = re.compile(r"\s*[^@\s]+@[^@\s]+\s*")
_SCHEME = re.compile(r"^\s*(?:tel|whatsapp|mailto):", re.IGNORECASE)
# WhatsApp's names for accounts: the number, perhaps a device, and one of its own hosts.
_ACCOUNT = re.compile(r"^([^@:]+)(?::\d+)?@(?:s\.whatsapp\.net|c\.us)$")
_NUMBER = re.compile(r"\+?[\s\d().\-\u00a0\u2010-\u2015/]+")
_MARKS = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def pseudonym(kind: Kind, value: str) -> str:
    """The pseudonym under the newest key. Raises Unavailable when there is no key."""
    return _token(kind, _normalised(kind, value), live(Secret.PSEUDONYM_KEY)[0])


def pseudonyms(kind: Kind, value: str) -> list[str]:
    """Under every key that is live, newest first: what the value is or was called in the log. Raises Unavailable."""
    normalised = _normalised(kind, value)
    return [_token(kind, normalised, key) for key in live(Secret.PSEUDONYM_KEY)]


def normalised_phone(text: str) -> str:
    """The digits of a number with its country, the same for every way to write it; of another text, the text.

    Brazil's mobiles get their ninth digit, Mexico's lose the 1 after 52, Argentina's the 9 after 54 (or the 15 in its
    national place). A number without its country stays as it is: nobody can know which country was meant.
    """
    text = _SCHEME.sub("", _MARKS.sub("", unicodedata.normalize("NFKC", text))).replace("%2B", "+").strip()
    account = _ACCOUNT.match(text)
    text = account[1] if account else text
    if not _NUMBER.fullmatch(text):
        return text
    digits = "".join(str(unicodedata.decimal(sign)) for sign in text if sign.isdecimal())
    digits = re.sub("^(?:00)+", "", digits)
    if re.fullmatch(r"55[1-9]\d[6-9]\d{7}", digits):
        return f"{digits[:4]}9{digits[4:]}"
    if re.fullmatch(r"521\d{10}", digits):
        return f"52{digits[3:]}"
    return _argentine(digits[2:]) if digits.startswith("54") else digits


def normalised_email(text: str) -> str:
    """Lower case, without the tag behind a plus; a domain with accents as its ASCII form."""
    text = unicodedata.normalize("NFKC", _SCHEME.sub("", text)).replace("%40", "@").strip().lower()
    name, at, domain = text.rpartition("@")
    if not domain.isascii():
        # What is no domain still gets its name.
        with suppress(UnicodeError):
            domain = domain.encode("idna").decode()
    return f"{name.partition('+')[0] or name}{at}{domain}"


def kinds_of(text: str) -> tuple[Kind, ...]:
    """The kinds under which support should look a value up."""
    text = _MARKS.sub("", text).strip()
    if _ACCOUNT.match(text) or not _ADDRESS.fullmatch(text):
        return ("contact", "phone")
    return ("email",)


def _argentine(national: str) -> str:
    """A number of Argentina behind its country code: area code and subscriber together have ten digits."""
    national = national.lstrip("0")
    if len(national) == 11 and national.startswith("9"):
        return f"54{national[1:]}"
    if len(national) == 12:
        # Buenos Aires' area code has two digits, the others have three or four.
        for area in (2,) if national.startswith("11") else (3, 4):
            if national[area : area + 2] == "15":
                return f"54{national[:area]}{national[area + 2 :]}"
    return f"54{national}"


def _normalised(kind: Kind, value: str) -> str:
    value = value[:MAXIMUM_VALUE]
    return normalised_email(value) if kind == "email" else normalised_phone(value)


def _token(kind: Kind, normalised: str, key: str) -> str:
    digest = hmac.digest(key.encode(), f"{kind}~{normalised}".encode("utf-8", "surrogatepass"), "sha256")
    return f"{kind}~{_version(key)}.{b32encode(digest)[:SIGNS].decode().lower()}"


def _version(key: str) -> int:
    """1 to 999, of the key itself: it stays with the key, and nobody can forget to count it up."""
    return int.from_bytes(hmac.digest(key.encode(), b"version", "sha256")[:4]) % 999 + 1
