"""Texts inside a text: base64, hexadecimal, percent signs, rot13, tag characters, letters with spaces between.

Decoded copies are scored and thrown away. Order codes and payment strings look like base64 too, so that only what comes
out of it counts, never the look.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from urllib.parse import unquote

from shared.safety.canonical import hidden_text

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){10,}")
# Of the letters of a language, most are these; of what comes out of a random code, few.
_READABLE = 0.85
DECODED_AT_ONCE = 4


def decoded(text: str) -> Iterator[str]:
    """What the text holds in another writing, each at most as long as the text."""
    if not text.isascii():
        hidden = hidden_text(text)
        if len(hidden) >= 4:
            yield hidden
    if text.count("%") >= 4:
        yield unquote(unquote(text, errors="ignore"), errors="ignore")
    found = 0
    for match in _BASE64.finditer(text):
        if found < DECODED_AT_ONCE and (said := _from_base64(match[0])):
            found += 1
            yield said
    for match in _HEXADECIMAL.finditer(text):
        if found < DECODED_AT_ONCE and (said := _from_hexadecimal(match[0])):
            found += 1
            yield said


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
    if b" " not in data and len(data) > 24:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    letters = sum(map(str.isalpha, text)) + text.count(" ")
    return text if letters >= _READABLE * len(text) else None


def turned(text: str) -> Iterator[str]:
    """Rot13, and the text from its end: for a text in which hardly a word is known."""
    yield codecs.encode(text, "rot13")
    yield text[::-1]


_LONE = re.compile(r"(?:(?<!\w)\w(?:[ .\-_*/|,]|(?=\n)|$)){4}")


def spaced(text: str) -> str | None:
    """The text with the spaces between its letters taken out; None when it is not written so.

    Two spaces or more, or a line's end, divide words. Without them the letters are one word, for the reader to cut.
    """
    parts = text.split()
    lone = sum([len(part) == 1 for part in parts])
    if lone < 6 or lone * 10 < len(parts) * 7:
        return None
    return " ".join(part.replace(" ", "") for part in re.split(r" {2,}|\n+", text))
