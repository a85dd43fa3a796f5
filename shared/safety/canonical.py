"""The form of a text in which it is scored: small Latin letters and digits, whatever it was written with.

For scoring only: what is kept is what the customer wrote, and what the model reads is that without what nobody can see
(`visible`). Every step is linear, and none makes a text so long that anything of it has to be left out.
"""

import re
import unicodedata
from functools import cache

MAXIMUM_CHARACTERS = 8192

# Characters that show nothing: zero width, fillers, variation selectors, controls of direction, tags.
_UNSEEN = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
    *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10)),
    *(*range(0xE0000, 0xE0080), *range(0xE0100, 0xE01F0)),
)
# Marks that stack on a letter. Dropping them first makes normalising linear.
_MARKS = (
    *(*range(0x300, 0x370), *range(0x483, 0x48A), *range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00)),
    *(*range(0x20D0, 0x2100), *range(0xFE20, 0xFE30)),
)
# Small letters of other scripts, and how they are read by whoever sees a Latin word.
_ALIKE = {
    "a": "аαɑᴀ", "b": "вьъβʙƅ", "c": "сϲᴄƈ", "d": "ԁđɗᴅ", "e": "еєэεɛᴇǝ", "f": "ғƒꜰ", "g": "ɡɢց", "h": "һнħʜհ",
    "i": "іιıɩɪїӏ", "j": "јʝᴊ", "k": "кκҡᴋ", "l": "ӏłʟℓ", "m": "мᴍ", "n": "пηոɴή", "o": "оοσօᴏøө", "p": "рρᴘ",
    "q": "ԛզ", "r": "гяʀ", "s": "ѕꜱʂ", "t": "тτᴛŧ", "u": "υսᴜц", "v": "ѵνᴠ", "w": "ԝωшщᴡ", "x": "хχж", "y": "уүγʏч",
    "z": "зᴢƶ",
}  # fmt: skip
_WIDER = dict.fromkeys("«»“”„‟", '"') | dict.fromkeys("‘’‚‛‹›", "'") | {
    "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ﬁ": "fi", "ﬂ": "fl",
}  # fmt: skip
# The first of each alphabet of styled letters and digits (bold, script, double-struck, ...), capitals then small.
_STYLED_LETTERS = range(0x1D400, 0x1D6A4, 52)
_STYLED_DIGITS = range(0x1D7CE, 0x1D800, 10)


# The flag of a region: a black flag and its name in tags.
_FLAG_OF_REGION = "\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f"


def _folds() -> dict[int, str | None]:
    folds: dict[int, str | None] = {}
    for code in range(0xA0, 0x250):
        letters = "".join(char for char in unicodedata.normalize("NFKD", chr(code)) if not unicodedata.combining(char))
        if letters.isascii():
            folds[code] = letters.lower()
    for code in range(0xFF01, 0xFF5F):
        folds[code] = chr(code - 0xFEE0).lower()
    for first in _STYLED_LETTERS:
        folds |= {first + place: chr(ord("a") + place % 26) for place in range(52)}
    for first in _STYLED_DIGITS:
        folds |= {first + place: str(place) for place in range(10)}
    for first in (0x24B6, 0x24D0, 0x1F130, 0x1F150, 0x1F170):  # in circles and squares
        folds |= {first + place: chr(ord("a") + place) for place in range(26)}
    for latin, others in _ALIKE.items():
        folds |= dict.fromkeys([ord(other) for other in others], latin)
    folds |= {ord(char): letters for char, letters in _WIDER.items()}
    return folds | dict.fromkeys((*_UNSEEN, *_MARKS))


_FOLDS = _folds()
_TABLE = {code: code for code in range(128)} | {
    code: ord(plain) if plain and len(plain) == 1 else plain for code, plain in _FOLDS.items()
}
_CONTROLS = (*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000))
# In UTF-8.
TAGS_BEGIN = b"\xf3\xa0"
_TAGS = frozenset(map(chr, range(0xE0020, 0xE007F)))
_HIDERS = frozenset(map(chr, (*_CONTROLS, *_UNSEEN, *_MARKS)))
_PICTURE = "[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
_KEPT = f"{_FLAG_OF_REGION}|(?<={_PICTURE})\u200d(?={_PICTURE})|(?<={_PICTURE})\ufe0f|(?<=[#*0-9])\ufe0f(?=\u20e3)"
_ASCII = bytes(range(128))
# What of ASCII is seen, spaces and lines among it.
_SEEN = bytes(code for code in range(128) if chr(code).isprintable() or chr(code) in "\t\n\r")
# Up to so many kinds of strange characters it is quicker to replace each than to look up every character.
_KINDS = 24
_KNOWN = frozenset(map(chr, _FOLDS))


def canonical(text: str) -> str:
    """Small letters without accents, ornaments and invisible characters; what is no Latin letter stays as it is."""
    text = text[:MAXIMUM_CHARACTERS].lower()
    if text.isascii():
        return text
    strange = _strange(text)
    if len(strange) > _KINDS:
        text = text.translate(_TABLE)
        strange = _strange(text)
    else:
        for char in strange & _KNOWN:
            text = text.replace(char, _FOLDS[ord(char)] or "")
        strange -= _KNOWN
    composed = [char for char in strange if unicodedata.decomposition(char)]
    return text.translate({ord(char): _latin(char) for char in composed}) if composed else text


def _strange(text: str, usual: bytes = _ASCII) -> set[str]:
    """The characters that are not `usual`; by bytes, since looking at every character takes five times as long."""
    return set(text.encode("utf-8", "surrogatepass").translate(None, usual).decode("utf-8", "surrogatepass"))


def _latin(char: str) -> str:
    """The Latin letters that a character is made of, and a space for one of another script.

    One by one, and no longer than five: what is written in eighteen letters must not push the rest of a text out.
    """
    letters = unicodedata.normalize("NFKD", char).translate(_TABLE).lower()
    return letters[:5] if letters.isascii() else " "


def visible(text: str) -> str:
    """What the model may read: the text without what nobody sees.

    Joiners stay between emoji and tags behind a black flag, which draw families and the flags of regions; of the marks
    on one letter three stay.
    """
    if _HIDERS.isdisjoint(_strange(text, _SEEN)):
        return text
    hidden, stacked, _ = _patterns()
    return stacked.sub(lambda found: found[0][:3], hidden.sub(lambda found: found[1] or "", text))


def hidden_text(text: str) -> str:
    """The letters that tag characters carry (U+E0020 to U+E007E), flags of regions left out."""
    if TAGS_BEGIN not in text.encode("utf-8", "surrogatepass"):
        return ""
    found = _patterns()[2].sub("", text)
    return "".join([chr(ord(char) - 0xE0000) for char in found if char in _TAGS])


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """What hides, stacks of marks, flags of regions; made when a text needs them, since few do and they take time."""
    hiding = re.escape("".join(map(chr, (*_CONTROLS, *_UNSEEN))))
    marks = "".join(map(chr, _MARKS))
    return re.compile(f"({_KEPT})|[{hiding}]"), re.compile(f"[{marks}]{{4,}}"), re.compile(_FLAG_OF_REGION)
