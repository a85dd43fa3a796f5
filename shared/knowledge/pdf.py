"""PDF: the words that its pages show, by pypdf."""

import math
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from shared.knowledge.plain import HIDDEN_LETTERS
from shared.knowledge.refusal import RefusedFileError

MAXIMUM_PAGES = 300
# Smaller than this nobody reads, in points.
SMALLEST = 1.5
# Where so little is shown, words without ink are those that were recognised in a scan.
SCAN_LETTERS = 200
_RUNS = frozenset({"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/Rendition", "/GoToE"})
_PAINTS = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"sh", b"Do", b"EI"})


def read_pdf(data: bytes) -> str:
    """The words of all pages, a paragraph a page at least.

    Raises RefusedFileError; for what pypdf cannot read, whatever pypdf raises.
    """
    if not data.startswith(b"%PDF-"):
        raise RefusedFileError("kind_differs")
    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted:
        raise RefusedFileError("encrypted")
    if _runs_something(reader.root_object):
        raise RefusedFileError("macros")
    if len(reader.pages) > MAXIMUM_PAGES:
        raise RefusedFileError("too_long")
    ink = _Ink()
    pages = []
    for page in reader.pages:
        ink.begin_page()
        pages.append(page.extract_text(visitor_operand_before=ink.operate))
    if ink.concealed >= HIDDEN_LETTERS or (ink.without_ink >= HIDDEN_LETTERS and ink.shown > SCAN_LETTERS):
        raise RefusedFileError("hidden_text")
    return "\n\n".join(pages)


def _runs_something(root: DictionaryObject) -> bool:
    """Whether opening it does more than show it."""
    action = root.get("/OpenAction")
    action = action.get_object() if action is not None else None
    if isinstance(action, DictionaryObject) and action.get("/S") in _RUNS:
        return True
    names = root.get("/Names")
    names = names.get_object() if names is not None else None
    return "/AA" in root or (isinstance(names, DictionaryObject) and "/JavaScript" in names)


class _Ink:
    """Counts letters by whether a reader sees them, from the operators of pages (ISO 32000-1, 9.3 and 8.6)."""

    def __init__(self) -> None:
        self.shown = self.without_ink = self.concealed = 0
        self.begin_page()

    def begin_page(self) -> None:
        """Nothing painted, black ink."""
        self._mode, self._size, self._white, self._painted = 0, 1.0, False, False
        self._kept: list[tuple[int, float, bool]] = []

    def operate(self, operator: bytes, operands: Any, matrix: Any, text_matrix: Any) -> None:
        """One operator, before it takes effect."""
        match operator:
            case b"q":
                self._kept.append((self._mode, self._size, self._white))
            case b"Q" if self._kept:
                self._mode, self._size, self._white = self._kept.pop()
            case b"Tr":
                self._mode = int(operands[0])
            case b"Tf":
                self._size = abs(float(operands[1]))
            case b"g" | b"rg" | b"sc" | b"scn":
                numbers = [float(part) for part in operands if isinstance(part, int | float)]
                self._white = len(numbers) in (1, 3) and min(numbers) >= 0.98
            case b"k":
                self._white = max(map(float, operands)) <= 0.02
            case b"Tj" | b"'" | b'"' | b"TJ":
                self._count(_letters(operands), matrix, text_matrix)
            case _ if operator in _PAINTS:
                self._painted = True

    def _count(self, letters: int, matrix: Any, text_matrix: Any) -> None:
        scale = math.hypot(text_matrix[2], text_matrix[3]) * math.hypot(matrix[2], matrix[3])
        if self._mode in (3, 7):
            self.without_ink += letters
        elif self._size * scale < SMALLEST or (self._white and not self._painted):
            self.concealed += letters
        else:
            self.shown += letters


def _letters(operands: Any) -> int:
    return sum(_letters(part) if isinstance(part, list) else len(part) for part in operands if hasattr(part, "__len__"))
