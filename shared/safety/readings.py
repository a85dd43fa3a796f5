"""A canonical text as somebody may read it otherwise: letters with something between them or nothing between words,
rot13, digits for letters, the whole from its end.

Each reading costs as much as the text itself, so that each is asked for by what shows in the letters.
"""

import codecs
import re
from collections.abc import Iterator

from shared.safety.canonical import canonical
from shared.safety.concepts import LEET

# What is turned letter by letter or written backwards shows at one end at least; so many letters tell.
TURNED, BACKWARDS = 40, 80
# No word of the three languages that people use has more letters.
LONGEST_WORD = 20
# Letters, digits that are written for letters, other digits, spaces, signs.
_KINDS = bytes(
    ord("a") if chr(code).isalpha()
    else ord("1") if chr(code) in "013457"
    else ord("2") if chr(code).isdigit()
    else ord(" ") if chr(code).isspace()
    else ord(".")
    for code in range(128)
) + b"." * 128  # fmt: skip
# So many letters beside such digits.
IN_DIGITS = 6
_NO_WORD = b"a" * (LONGEST_WORD + 1)
_DIVIDED_LETTERS = re.compile(r"(?<![a-z0-9])[a-z0-9](?:[^a-z0-9\s][a-z0-9])+(?![a-z0-9])")
_SPACED = b" a a a a "
_WIDE = re.compile(r"\s{2,}")
_SPACED_LETTERS = re.compile(r"(?<!\S)\S(?:\s{1,8}\S(?!\S)){2,}")
_FOURTEEN = re.compile(r"\b14\b")
# Letters that words of the three languages end with more often than they begin with them, and those with which it is
# the other way round.
_LAST, _FIRST = "sornaedly", "pcmqvfbhiw"
_PLACES = bytes(
    ord("l") if chr(code) in _LAST
    else ord("f") if chr(code) in _FIRST
    else ord(" ") if chr(code).isspace()
    else ord("a")
    for code in range(128)
) + b"a" * 128  # fmt: skip


def readings(text: str, low: str) -> Iterator[tuple[str, bool]]:
    """The text, whose canonical form is `low`, read otherwise, and whether its words may stand together."""
    letters = low.encode("ascii", "replace")
    kinds = letters.translate(_KINDS)
    if _is_spaced(kinds.replace(b"1", b"a")):
        yield _SPACED_LETTERS.sub(_unspaced, low), True
    if b".a.a." in kinds:
        yield _DIVIDED_LETTERS.sub(lambda found: found[0][::2], low), True
    if _NO_WORD in kinds:
        yield low, True
    if kinds.count(b"1") >= IN_DIGITS and kinds.count(b"a1") + kinds.count(b"1a") >= IN_DIGITS:
        # 14 is a house and no *ia*.
        yield _FOURTEEN.sub("", low).translate(LEET), False
    if any(map(_is_turned, (letters[:TURNED], letters[-TURNED:]))):
        # Letters with accents stay, as whoever turned them left them.
        yield canonical(codecs.encode(text, "rot13")), False
    if any(map(_is_backwards, (letters[:BACKWARDS], letters[-BACKWARDS:]))):
        yield low[::-1], False


def _is_spaced(kinds: bytes) -> bool:
    """Whether four letters in a row have a space or two between them."""
    return _SPACED in b" " + (kinds.replace(b"  ", b" ") if b"  " in kinds else kinds) + b" "


def _unspaced(found: re.Match[str]) -> str:
    """Two spaces or more divide its words. Without them its letters stay together, to be cut."""
    words = ["".join(word.split()) for word in _WIDE.split(found[0])]
    return (" " if max(map(len, words)) > 1 else "").join(words)


def _is_turned(letters: bytes) -> bool:
    """Whether there are more of the letters that vowels are turned to than vowels."""
    return len(letters.translate(None, b"nrvbh")) < len(letters.translate(None, b"aeiou"))


def _is_backwards(letters: bytes) -> bool:
    """Whether more words begin as words end, or end as they begin, than the other way round."""
    places = letters.translate(_PLACES)
    return places.count(b" l") + places.count(b"f ") > places.count(b"l ") + places.count(b" f")
