"""Cutting a text into passages that are searched and quoted whole."""

import re

MAXIMUM_CHARACTERS = 800
# Where a paragraph is cut, its last sentence stands in the next passage too, if it is no longer than this.
OVERLAP = 160

_PARAGRAPHS = re.compile(r"\n\s*\n")
_SENTENCES = re.compile(r"(?<=[.!?…])\s+|\n")


def cut(text: str) -> list[str]:
    """Passages of at most 800 characters, at paragraph ends where there are some, else at sentence ends.

    A heading stays with the paragraph below it; what is cut in between overlaps; nothing but white space is lost.
    """
    passages: list[str] = []
    for paragraph in _PARAGRAPHS.split(text):
        for piece in _pieces(paragraph.strip()):
            if passages and len(passages[-1]) + len(piece) + 1 <= MAXIMUM_CHARACTERS and _is_heading(passages[-1]):
                passages[-1] = f"{passages[-1]}\n{piece}"
            else:
                passages.append(piece)
    return passages


def _is_heading(text: str) -> bool:
    return text.startswith("#") and "\n" not in text


def _pieces(paragraph: str) -> list[str]:
    if len(paragraph) <= MAXIMUM_CHARACTERS:
        return [paragraph] if paragraph else []
    pieces, before = [""], ""
    for sentence in _SENTENCES.split(paragraph):
        for part in _slices(sentence):
            if len(pieces[-1]) + len(part) + 1 > MAXIMUM_CHARACTERS:
                again = before if len(before) <= OVERLAP and len(before) + len(part) < MAXIMUM_CHARACTERS else ""
                pieces.append(f"{again} {part}".strip())
            else:
                pieces[-1] = f"{pieces[-1]} {part}".strip()
            before = part
    return [piece for piece in pieces if piece]


def _slices(sentence: str) -> list[str]:
    return [sentence[first : first + MAXIMUM_CHARACTERS] for first in range(0, len(sentence), MAXIMUM_CHARACTERS)]
