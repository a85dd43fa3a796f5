"""Mask people and secrets in text that leaves for a log or a report.

`redact` replaces secrets, `mask_pii` what tells who somebody is. Ids, hashes, amounts and times stay as they are, for
the people who look for a fault at night. Both look at the text as it reads (`reading.py`) and replace it as it is
written, so that neither JSON inside a string nor an encoded address hides anything.
"""

from collections.abc import Callable

from shared.privacy.addresses import find_addresses, find_lettered
from shared.privacy.keys import find_keyed
from shared.privacy.numbers import find_ipv4, find_numbers
from shared.privacy.patterns import Pattern
from shared.privacy.reading import Reading
from shared.privacy.shapes import find_shapes

Spans = list[tuple[int, int, str]]
Finder = Callable[[str], Spans]

_SECRETS: tuple[Finder, ...] = (find_shapes, find_keyed)
_PEOPLE: tuple[Finder, ...] = (find_addresses, find_lettered, find_numbers, find_ipv4)

# A log line of CloudWatch may have four times as much; nobody reads on.
LONGEST = 65_536
# What is read beyond the cut, so that nothing is cut in two and then not recognised.
_MARGIN = 4_096
# What was replaced may bring its neighbours together in a new way; a text without anything to mask is read once.
_PASSES = 5

_CUT = Pattern(r"\[cut [0-9]+\]\Z")
_JSON_NAME = Pattern(r"(\\*\")\s?:\s?\Z")


def redact(text: str) -> str:
    """The text with every secret replaced by `[secret]`: those of a known shape, and those that their name tells."""
    return _masked(text, _SECRETS)


def mask_pii(text: str) -> str:
    """The text with telephones, e-mail and IP addresses, documents, cards and WhatsApp's ids of people replaced.

    Of a WhatsApp message id, which holds the telephone, the tail stays: `wamid~…`.
    """
    return _masked(text, _PEOPLE)


def scrub_text(text: str) -> str:
    """Both at once."""
    return _masked(text, _SECRETS + _PEOPLE)


def _masked(text: str, finders: tuple[Finder, ...]) -> str:
    try:
        return _settled(text, finders)
    except Exception:  # a log must not fail on what it was to hide
        return "[unmaskable]"


def _settled(text: str, finders: tuple[Finder, ...]) -> str:
    left_out = 0
    if len(text) > LONGEST and not (len(text) < LONGEST + 40 and _CUT().search(text)):
        left_out = len(text) - LONGEST // 2
        text = text[: LONGEST // 2 + _MARGIN]
    for count in range(_PASSES):
        reading = Reading(text)
        spans: Spans = []
        for find in finders:
            spans += find(reading.text)
        if left_out and not count:
            text = _replaced(text, reading, spans, LONGEST // 2)
        elif spans:
            text = _replaced(text, reading, spans, len(text))
        else:
            break
    return f"{text[: LONGEST - 40]}[cut {left_out}]" if left_out else text


def _replaced(text: str, reading: Reading, spans: Spans, limit: int) -> str:
    """The text up to `limit` with marks in place of the spans; where they overlap, the first one's mark counts."""
    spans.sort(key=lambda span: (span[0], -span[1]))
    parts: list[str] = []
    done = 0
    place = 0
    is_json = text.startswith(('{"', "[")) and text.endswith(("}", "]"))
    while place < len(spans):
        opening, closing, mark = spans[place]
        place += 1
        while place < len(spans) and spans[place][0] < closing:
            closing = max(closing, spans[place][1])
            place += 1
        start, end = reading.back(opening, closing)
        if start >= limit:
            break
        start = max(start, done)
        parts += (text[done:start], _quoted(text, start, end, mark, is_json))
        done = end
    parts.append(text[done:limit])
    return "".join(parts)


def _quoted(text: str, start: int, end: int, mark: str, is_json: bool) -> str:
    """The mark, in quotes where a bare JSON number stood: the line must still parse."""
    if not text[start:end].replace(".", "").isdigit() or text[end : end + 1] not in (",", "}", "]", " ", "\\", ""):
        return mark
    name = _JSON_NAME().search(text, max(0, start - 24), start)
    if name is not None:
        return f"{name[1]}{mark}{name[1]}"
    if is_json and text[start - 1] in "[, " and not _within_quotes(text, start):
        return f'"{mark}"'
    return mark


def _within_quotes(text: str, place: int) -> bool:
    return (text.count('"', 0, place) - text.count('\\"', 0, place)) % 2 == 1
