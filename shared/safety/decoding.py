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
# So many bytes may have come from letters that stood before or behind it.
AROUND = 2
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_PIECE = re.compile(r"(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{4}|[A-Za-z0-9+/_-]{2,3}={1,2})")
_HEXADECIMAL = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-fA-F]{2}[\s:,;]{0,3}){12,}")
_DECIMAL = re.compile(r"(?:\b[0-9]{2,3}\b[\s,;]{0,3}){12,}")
_SEPARATORS = re.compile(r"[\s:,;]+")
_BINARY = re.compile(r"(?:[01]{8}[\s,;]{0,3}){12,}")
_ESCAPES = re.compile(r"\\u\{?([0-9a-fA-F]{4})\}?|\\x([0-9a-fA-F]{2})|0x([0-9a-fA-F]{2}),?\s?")
_MARKUP = re.compile(r"<[^<>]{0,80}>")
# In a name that is written together a capital begins a word.
_NAME = re.compile(r"\b[A-Z]?[a-z]+[A-Z][A-Za-z]+\b")
_CAPITAL_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")
# A text of so many percent signs or tags may be written in them, and one that begins or ends with a capital within a
# word for each so many letters in base64.
FEW, CAPITAL_EACH, SAMPLE = 4, 60, 200
# So many digits of bytes in a row, whatever stands between them.
_BETWEEN = b" \t\r\n:,;"
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
    if _LONG in kinds:
        words = " ".join(_long_words(raw, kinds))
        yield _all(_BASE64, _from_base64, words)
        yield " ".join([_CAPITAL_WITHIN.sub(" ", word) for word in _NAME.findall(words)])
    if _DIGITS in raw.translate(_DIGIT_OR_NOT, _BETWEEN):
        yield _all(_HEXADECIMAL, _from_hexadecimal, text)
        yield _all(_DECIMAL, _from_decimal, text)
        yield _all(_BINARY, _from_binary, text)
    if b" " in kinds and any(map(_has_capitals_within, (raw[:SAMPLE], raw[-SAMPLE:]))):
        yield _CAPITAL_WITHIN.sub(" ", text)
        # Each word was coded, or a code was cut by spaces or lines.
        pieces = [(word, said) for word in filter(_PIECE.fullmatch, text.split()) if (said := _from_base64(word, 1))]
        coded = "".join([word for word, _ in pieces])
        by_words = "=" in coded[:-2]
        yield " ".join([said for _, said in pieces]) if by_words else _all(_BASE64, _from_base64, coded)


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
    return _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _from_decimal(numbers: str) -> str | None:
    codes = list(map(int, _SEPARATORS.sub(" ", numbers).split()))
    return _readable(bytes(codes)) if max(codes) < 256 else None


def _from_binary(digits: str) -> str | None:
    digits = _SEPARATORS.sub("", digits)
    return _readable(int(digits, 2).to_bytes(len(digits) // 8, "big"))


def _readable(data: bytes, shortest: int = SHORTEST) -> str | None:
    """The text, if it is one: by chance twelve bytes of a code are printable once in a hundred thousand."""
    if len(data) < shortest:
        return None
    text = data.decode("utf-8", "ignore")
    lost = len(data) - len(text.encode())
    is_whole = lost <= AROUND and 4 * lost <= len(data)
    return text if is_whole and all(map(str.isprintable, text.split())) else None
