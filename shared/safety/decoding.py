"""Texts inside a text: base64, bytes as hexadecimal, decimal or binary numbers, escapes, entities, percent signs, tag
characters, names written together.

Decoded copies are scored and thrown away. Order codes and payment strings look like base64 too, so that only what comes
out of it counts, never the look.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from shared.safety.canonical import TAGS_BEGIN, hidden_text
from shared.safety.hosts import unescaped

# A coded word is at least so long, and so many bytes.
CODED, SHORTEST = 16, 10
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
# A piece of base64, by itself or not; and what shows that a word is one.
_PIECE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_LOOKS_CODED = re.compile(r"[a-z][A-Z]|[A-Za-z][0-9]|[0-9][A-Za-z]|=")
# What may stand between two bytes.
_BETWEEN = r"[\s:,;|/._-]{0,3}"
_SEPARATORS = re.compile(r"[\s:,;|/._-]+")
_HEXADECIMAL = re.compile(rf"(?:[0-9a-fA-F]{{2}}{_BETWEEN}){{12,}}")
_DECIMAL = re.compile(rf"(?:(?<![0-9])[0-9]{{2,3}}(?![0-9]){_BETWEEN}){{12,}}")
_BINARY = re.compile(rf"(?:[01]{{8}}{_BETWEEN}){{12,}}")
_ESCAPES = re.compile(r"\\u\{?([0-9a-fA-F]{4})\}?|\\x([0-9a-fA-F]{2})|0x([0-9a-fA-F]{2}),?\s?")
_MARKUP = re.compile(r"<[^<>]{0,80}>")
# In a name that is written together a capital begins a word.
_NAME = re.compile(r"\b[A-Z]?[a-z]+[A-Z][A-Za-z]+\b")
_CAPITAL_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")
# A text of so many percent signs or tags may be written in them, and one that begins or ends with a capital within a
# word for each so many letters in base64.
FEW, CAPITAL_EACH, SAMPLE = 4, 60, 200
# So many digits of bytes in a row, whatever stands between them.
_NO_DIGITS = b" \t\r\n\v\f:,;|/._-" + bytes(range(128, 256))
_DIGITS = b"x" * 24
_DIGIT_OR_NOT = bytes(ord("x") if chr(code) in "0123456789abcdefABCDEF" else ord(" ") for code in range(256))
_SPACE_OR_NOT = bytes(ord(" ") if code < 128 and chr(code).isspace() else ord("x") for code in range(256))
_LONG = b"x" * CODED
_CASE = bytes(
    ord(" ") if code > 127 or not chr(code).isalpha() else ord("a") if chr(code).islower() else ord("A")
    for code in range(256)
)


def decoded(text: str) -> Iterator[str]:
    """What the text holds in other writings, each at most as long as the text."""
    for inside in _decoded(text, text.encode("utf-8", "surrogatepass")):
        if inside and inside != text:
            yield inside


def _decoded(text: str, raw: bytes) -> Iterator[str]:
    if TAGS_BEGIN in raw:
        yield hidden_text(text)
    if "%" in text and text.count("%") >= FEW:
        yield unquote(unquote(text, errors="ignore"), errors="ignore")
    if "&" in text:
        yield unescaped(text)
    if "\\" in text or "0x" in text:
        yield _ESCAPES.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), text)
    if "<" in text and text.count("<") >= FEW:
        yield _MARKUP.sub("", text)
    yield from _from_bytes(text, raw)


def _from_bytes(text: str, raw: bytes) -> Iterator[str]:
    kinds = raw.translate(_SPACE_OR_NOT)
    words = " ".join(_long_words(raw, kinds)) if _LONG in kinds else ""
    if words:
        yield _all(_BASE64, _from_base64, words)
        yield _joined(words.split())
    if _DIGITS in raw.translate(_DIGIT_OR_NOT, _NO_DIGITS):
        yield _all(_HEXADECIMAL, _from_hexadecimal, text)
        yield _all(_DECIMAL, _from_decimal, text)
        yield _all(_BINARY, _from_binary, text)
    if any(map(_has_capitals_within, (raw[:SAMPLE], raw[-SAMPLE:]))):
        yield _CAPITAL_WITHIN.sub(" ", text)
        yield _joined(text.split())
    elif words:
        yield " ".join([_CAPITAL_WITHIN.sub(" ", name) for name in _NAME.findall(words)])


def _joined(words: list[str]) -> str:
    """A code that was cut by spaces or lines, wherever; or what each of its words says, where each ends as one."""
    coded = [bool(_PIECE.fullmatch(word) and _LOOKS_CODED.search(word)) for word in words]
    if sum(coded) < 2:
        return ""
    first, last = coded.index(True), len(coded) - coded[::-1].index(True)
    pieces = list(filter(_PIECE.fullmatch, words[first:last]))
    code = "".join(pieces)
    if "=" in code[:-2]:
        return " ".join(filter(None, [_from_base64(piece, 1) for piece in pieces]))
    return _all(_BASE64, _from_base64, code)


def _has_capitals_within(raw: bytes) -> bool:
    return raw.translate(_CASE).count(b"aA") * CAPITAL_EACH > len(raw)


def _long_words(raw: bytes, kinds: bytes) -> Iterator[str]:
    """Words that may be coded; by bytes, since looking at every word takes three times as long."""
    start = kinds.find(_LONG)
    while start >= 0:
        end = kinds.find(b" ", start)
        end = len(raw) if end < 0 else end
        yield raw[start:end].decode("utf-8", "surrogatepass")
        start = kinds.find(_LONG, end)


def _all(coded: re.Pattern[str], decode: Callable[[str], str | None], text: str) -> str:
    """All that is coded so, a line each: the first pieces must not hide the next, nor pieces what they are together."""
    return "\n".join(filter(None, [decode(match[0]) for match in coded.finditer(text)]))


def _from_base64(word: str, shortest: int = SHORTEST) -> str | None:
    word = word.replace("-", "+").replace("_", "/")
    for cut in (0, 1, 2, 3):
        piece = word[cut:]
        try:
            data = base64.b64decode(piece[: len(piece) // 4 * 4] + _last(piece))
        except (binascii.Error, ValueError):
            continue
        if said := _readable(data, shortest):
            return said
    return None


def _last(piece: str) -> str:
    rest = len(piece) % 4
    return piece[-rest:] + "=" * (4 - rest) if rest > 1 else ""


def _from_hexadecimal(word: str) -> str | None:
    digits = _SEPARATORS.sub("", word)
    # The first digit may be the last letter of a word before.
    for cut in (0, 1):
        if said := _readable(bytes.fromhex(digits[cut : cut + (len(digits) - cut) // 2 * 2])):
            return said
    return None


def _from_decimal(numbers: str) -> str | None:
    codes = list(map(int, _SEPARATORS.sub(" ", numbers).split()))
    return _readable(bytes(codes)) if max(codes) < 256 else None


def _from_binary(digits: str) -> str | None:
    digits = _SEPARATORS.sub("", digits)
    return _readable(int(digits, 2).to_bytes(len(digits) // 8, "big"))


def _readable(data: bytes, shortest: int = SHORTEST) -> str | None:
    """The text, if it is one; a quarter of the bytes may come from letters that stood before or behind it."""
    if len(data) < shortest:
        return None
    text = data.decode("utf-8", "ignore")
    is_whole = 4 * (len(data) - len(text.encode())) <= len(data)
    return text if is_whole and all(map(str.isprintable, text.split())) else None
