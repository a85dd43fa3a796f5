"""Texts inside a text: base64, hexadecimal, percent signs, rot13, tag characters, letters with spaces between.

Decoded copies are scored and thrown away. Order codes and payment strings look like base64 too, so that only what comes
out of it counts, never the look.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from shared.safety.canonical import hidden_text
from shared.safety.concepts import LEET

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){12,}")
# A coded word is at least so long, or the bytes stand apart.
CODED, SHORTEST = 16, 10
# Bytes and letters that stand apart make words this short.
APART = 4
_LETTER_OR_DIGIT = bytes(
    ord("a") if chr(code).isalpha() else ord("1") if chr(code) in "013457" else ord(" ") for code in range(256)
)
IN_DIGITS = 6
_SIGNS = ".-_*|/~+,"
_LETTER_OR_SIGN = bytes(
    ord("a") if chr(code).isalnum() else ord(".") if chr(code) in _SIGNS else ord(" ") for code in range(256)
)
_APART_BY_SIGNS = re.compile(rf"(?<![a-z0-9])[a-z0-9](?:[{re.escape(_SIGNS)}][a-z0-9]){{3,}}(?![a-z0-9])")
_FOURTEEN = re.compile(r"\b14\b")


def decoded(text: str, words: list[str]) -> Iterator[str]:
    """What the text, divided into `words` at its spaces, holds in another writing; each at most as long as the text."""
    if not text.isascii():
        hidden = hidden_text(text)
        if len(hidden) >= 4:
            yield hidden
    if "%" in text and text.count("%") >= 4:
        yield unquote(unquote(text, errors="ignore"), errors="ignore")
    pieces = []
    coded = " ".join([word for word in words if len(word) >= CODED])
    if coded:
        pieces += [_all(_BASE64, _from_base64, coded), _all(_HEXADECIMAL, _from_hexadecimal, coded)]
    if len(text) < APART * len(words):
        pieces.append(_all(_HEXADECIMAL, _from_hexadecimal, text))
    yield from filter(None, pieces)


def _all(coded: re.Pattern[str], decode: Callable[[str], str | None], text: str) -> str:
    """All that is coded so, a line each: the first pieces must not hide the next, nor pieces what they are together."""
    return "\n".join(filter(None, [decode(match[0]) for match in coded.finditer(text)]))


def _from_base64(word: str) -> str | None:
    word = word.replace("-", "+").replace("_", "/")
    for cut in (0, 1, 2, 3):
        piece = word[cut:]
        try:
            data = base64.b64decode(piece[: len(piece) // 4 * 4] + _last(piece))
        except (binascii.Error, ValueError):
            continue
        if said := _readable(data):
            return said
    return None


def _last(piece: str) -> str:
    rest = len(piece) % 4
    return piece[-rest:] + "=" * (4 - rest) if rest > 1 else ""


def _from_hexadecimal(word: str) -> str | None:
    digits = word.replace(" ", "").replace(":", "")
    return _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _readable(data: bytes) -> str | None:
    """The text, if it is one: by chance twelve bytes of a code are printable once in a hundred thousand."""
    if len(data) < SHORTEST:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if all(map(str.isprintable, text.split())) else None


def is_turned(letters: bytes) -> bool:
    """Whether a canonical text has more of the letters that vowels are turned to than vowels."""
    return len(letters.translate(None, b"nrvbh")) < len(letters.translate(None, b"aeiou"))


def turned(text: str) -> str:
    """Rot13; letters with accents stay, as whoever turned them left them."""
    return codecs.encode(text, "rot13")


def is_apart(letters: bytes) -> bool:
    """Whether a canonical text has letters with a sign between each and the next: *i.g.n.o.r.e*."""
    return b".a.a." in letters.translate(_LETTER_OR_SIGN)


def together(low: str) -> str:
    """Four letters or more that signs keep apart, without the signs. *S.A.* and *C.V.* stay."""
    return _APART_BY_SIGNS.sub(lambda found: found[0][::2], low)


def is_in_digits(letters: bytes) -> bool:
    """Whether a canonical text has digits in so many of its words that those alone are letters too."""
    kinds = letters.translate(_LETTER_OR_DIGIT)
    return kinds.count(b"a1") + kinds.count(b"1a") >= IN_DIGITS


def in_letters(low: str) -> str:
    """Every digit as the letter it stands for, but for 14, which is a house and no *ia*."""
    return _FOURTEEN.sub("", low).translate(LEET)


def spaced(text: str, words: list[str]) -> str | None:
    """The text with the spaces between its letters taken out; None when it is not written so.

    Two spaces or more, or a line's end, divide its words. Without them its letters stay together, to be cut.
    """
    if len(words) < 6 or len(text) > APART * len(words) + 8:
        return None
    lone = sum([len(word) == 1 for word in words])
    if lone * 10 < len(words) * 7:
        return None
    return " ".join([part.replace(" ", "") for part in re.split(r" {2,}|\n+", text)])
