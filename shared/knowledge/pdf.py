"""PDF: the words that a reader sees on its pages, by PDFium. pypdf looks up what the file runs."""

import re
from io import BytesIO

import pypdf.filters  # noqa: F401  # which pypdf imports late, when the process that reads may open no file
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from shared.knowledge.ink import seen_glyphs
from shared.knowledge.pdfium import Page, count_pages, open_document, open_page
from shared.knowledge.plain import HIDDEN_LETTERS
from shared.knowledge.refusal import RefusedFileError
from shared.safety.containers import end_of_pdf, has_archive_end

MAXIMUM_PAGES = 300
# Letters. Up to so many that are seen, a page with invisible text and an image over all of it is a scan.
SCAN_LETTERS = 200
_RUNS = frozenset({"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/Rendition", "/GoToE"})
_LINE_HYPHEN = re.compile("\x02(?:\r\n)?")


def read_pdf(data: bytes) -> str:
    """Return the words that are seen on all pages, a paragraph a page at least.

    Raises RefusedFileError.
    """
    _check_bounds(data)
    _check_catalog(data)
    with open_document(data) as document:
        count = count_pages(document)
        if count > MAXIMUM_PAGES:
            raise RefusedFileError("too_long")
        pages = []
        for index in range(count):
            with open_page(document, index) as page:
                pages.append(_seen_text(page))
    return "\n\n".join(pages)


def _check_bounds(data: bytes) -> None:
    """Raise RefusedFileError (`kind_differs`, `polyglot`, `unreadable`) if the file is more or less than one PDF."""
    if not data.startswith(b"%PDF-"):
        raise RefusedFileError("kind_differs")
    try:
        end = end_of_pdf(data)
    except IndexError:
        raise RefusedFileError("unreadable") from None
    if end != len(data) or has_archive_end(data):
        raise RefusedFileError("polyglot")


def _check_catalog(data: bytes) -> None:
    """Raise RefusedFileError (`encrypted`, `macros`, `unreadable`) by what the file says of itself."""
    try:
        reader = PdfReader(BytesIO(data))
        is_encrypted = reader.is_encrypted
        runs_something = not is_encrypted and _runs_something(reader.root_object)
    except Exception:  # pypdf met what it does not know, in one of many ways
        raise RefusedFileError("unreadable") from None
    if is_encrypted:
        raise RefusedFileError("encrypted")
    if runs_something:
        raise RefusedFileError("macros")


def _seen_text(page: Page) -> str:
    """Return the text of a page without glyphs that no reader sees. Raises RefusedFileError if they are many."""
    seen = seen_glyphs(page)
    unseen = [glyph for glyph, is_seen in zip(page.glyphs, seen, strict=True) if not is_seen and glyph.char.isalnum()]
    notes = sum(map(str.isalnum, page.hidden_notes()))
    if len(unseen) + notes >= HIDDEN_LETTERS:
        letters = sum(glyph.char.isalnum() for glyph in page.glyphs) - len(unseen)
        is_recognised = all(page.texts[glyph.owner].is_invisible for glyph in unseen if glyph.owner in page.texts)
        is_scan = page.is_scan and is_recognised and letters <= SCAN_LETTERS and notes < HIDDEN_LETTERS
        raise RefusedFileError("scanned_text" if is_scan else "hidden_text")
    text = "".join(glyph.char for glyph, is_seen in zip(page.glyphs, seen, strict=True) if is_seen)
    return _LINE_HYPHEN.sub("", text)


def _runs_something(root: DictionaryObject) -> bool:
    """Whether opening it does more than show it."""
    action = root.get("/OpenAction")
    action = action.get_object() if action is not None else None
    if isinstance(action, DictionaryObject) and action.get("/S") in _RUNS:
        return True
    names = root.get("/Names")
    names = names.get_object() if names is not None else None
    return "/AA" in root or (isinstance(names, DictionaryObject) and "/JavaScript" in names)
