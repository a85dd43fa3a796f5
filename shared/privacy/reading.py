"""Read a text as a person would: escapes undone, invisible characters gone, every digit and dash in its plain form.

The rules look at this reading only, so that no rule knows about URL encoding, HTML, JSON or repr. What they find is
carried back to the places in the text as it was written.
"""

from bisect import bisect_right

from shared.privacy.patterns import Pattern

# Repetitions are bounded and possessive: a text of twenty thousand backslashes must not be read twenty thousand times.
_WRITTEN_OTHERWISE = Pattern(
    r"""(?x)
    (?:%(?:25){0,3}[89A-Fa-f][0-9A-Fa-f])++
  | %(?:25){0,3}[0-7][0-9A-Fa-f]
  | \\{1,4}+ (?: u[0-9A-Fa-f]{4} | U[0-9A-Fa-f]{8} | x[0-7][0-9A-Fa-f] | [nrt] )
  | (?:\\{1,4}+x[89A-Fa-f][0-9A-Fa-f])++
  | &(?:\#[0-9]{1,6}|\#x[0-9A-Fa-f]{1,5}|quot|amp|apos|lt|gt|nbsp|plus|commat|equals|colon|period);
  | [\u00a0\u00ad\u2000-\u2015\u2028-\u202f\u205f-\u2069\u2212\ufeff\uff01-\uff5e]
  | [^\D0-9]
    """
)
_NAMED = {"quot": '"', "amp": "&", "apos": "'", "lt": "<", "gt": ">", "nbsp": " "}
_NAMED |= {"plus": "+", "commat": "@", "equals": "=", "colon": ":", "period": "."}
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}
_ENCODED = Pattern(r"%(?:25)*([0-9A-Fa-f]{2})|\\+x([0-9A-Fa-f]{2})")


class Reading:
    """`text` as it is read, and the way back to where it stands in what was written."""

    __slots__ = ("_ends", "_lengths", "_starts", "_written", "text")

    def __init__(self, written: str) -> None:
        self.text = written
        self._starts: list[int] = []
        self._lengths: list[int] = []
        self._written: list[int] = []
        self._ends: list[int] = []
        if written.isascii() and "\\" not in written and "%" not in written and "&" not in written:
            return
        self._undo(written)

    def _undo(self, written: str) -> None:
        parts: list[str] = []
        at = done = 0
        for found in _WRITTEN_OTHERWISE().finditer(written):
            start, end = found.span()
            plain = _plain(found.group())
            parts += (written[done:start], plain)
            at += start - done
            self._starts.append(at)
            self._lengths.append(len(plain))
            self._written.append(start)
            self._ends.append(end)
            at += len(plain)
            done = end
        if self._starts:
            parts.append(written[done:])
            self.text = "".join(parts)

    def back(self, start: int, end: int) -> tuple[int, int]:
        """A span of the reading as a span of what was written; half an escape counts as the whole of it."""
        if not self._starts:
            return start, end
        return self._back(start, False), self._back(end, True)

    def _back(self, place: int, closing: bool) -> int:
        # A span opens behind what reads as nothing before it, and closes before what reads as nothing after it.
        index = bisect_right(self._starts, place - 1 if closing else place) - 1
        if index < 0:
            return place
        beyond = place - self._starts[index] - self._lengths[index]
        if beyond >= 0:
            return self._ends[index] + beyond
        return self._ends[index] if closing else self._written[index]


def _plain(written: str) -> str:
    first = written[0]
    if first == "&":
        return _entity(written[1:-1])
    if first == "%" or (first == "\\" and "x" in written):
        codes = bytes(int(one or other, 16) for one, other in _ENCODED().findall(written))
        try:
            return "".join(map(_plain_character, codes.decode()))
        except UnicodeDecodeError:
            return "".join(map(_plain_character, codes.decode("latin-1")))
    if first == "\\":
        letter, code = written.lstrip("\\")[0], written.lstrip("\\")[1:]
        return _LETTERS[letter] if letter in _LETTERS else _plain_character(_character(int(code, 16)))
    return _plain_character(written)


def _entity(name: str) -> str:
    if name[0] != "#":
        return _NAMED[name]
    return _plain_character(_character(int(name[2:], 16) if name[1] == "x" else int(name[1:])))


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else ""


def _plain_character(char: str) -> str:
    """One character in its plain form; "" for one that nobody sees."""
    if not char or char < "\x80":
        return char
    code = ord(char)
    if 0xFF01 <= code <= 0xFF5E:
        return chr(code - 0xFEE0)
    if code in (0xA0, 0x202F, 0x205F) or 0x2000 <= code <= 0x200A:
        return " "
    if 0x2010 <= code <= 0x2015 or code == 0x2212:
        return "-"
    if code in (0xAD, 0xFEFF) or 0x200B <= code <= 0x200F or 0x202A <= code <= 0x202E or 0x2060 <= code <= 0x2069:
        return ""
    return str(int(char)) if char.isdecimal() else char
