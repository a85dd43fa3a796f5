"""Word documents (docx): the words that they show, by python-docx, once the archive is known to be harmless."""

from collections.abc import Iterator
from io import BytesIO
from zipfile import BadZipFile, ZipFile

import docx
from docx.shared import Pt, RGBColor
from docx.table import Table
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from shared.knowledge.plain import HIDDEN_LETTERS
from shared.knowledge.refusal import RefusedFileError

# Unpacked, an honest document of ten megabytes is no larger, and XML is seldom packed better than a hundred times.
MAXIMUM_UNPACKED, MAXIMUM_PARTS, MAXIMUM_RATIO, FREE_OF_RATIO = 64 * 1024 * 1024, 2000, 120, 1024 * 1024
SMALLEST = Pt(1.5)
_WHITE = RGBColor(0xFF, 0xFF, 0xFF)
_BODY = "word/document.xml"


def read_docx(data: bytes) -> str:
    """Paragraphs, headings and tables in their order. Raises RefusedFileError."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise RefusedFileError("encrypted")  # how Office wraps what has a password, and the format before 2007
    if not data.startswith(b"PK\x03\x04"):
        raise RefusedFileError("kind_differs")
    _look_into(data)
    shown, hidden = [], 0
    for block in docx.Document(BytesIO(data)).iter_inner_content():
        for text, unseen in _lines(block):
            shown.append(text)
            hidden += unseen
    if hidden >= HIDDEN_LETTERS:
        raise RefusedFileError("hidden_text")
    return "\n\n".join(shown)


def _look_into(data: bytes) -> None:
    """The archive, before anything is unpacked: what it says of itself, and what it may not hold."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            parts = archive.infolist()
            names = {part.filename.lower() for part in parts}
            if any(part.flag_bits & 1 for part in parts):
                raise RefusedFileError("encrypted")
            if any(name.endswith(("vbaproject.bin", "vbadata.xml")) or "activex" in name for name in names):
                raise RefusedFileError("macros")
            if _BODY not in names or min(part.header_offset for part in parts) != 0:
                raise RefusedFileError("kind_differs")
            if len(parts) > MAXIMUM_PARTS or sum(part.file_size for part in parts) > MAXIMUM_UNPACKED:
                raise RefusedFileError("archive_bomb")
            if any(
                part.file_size > FREE_OF_RATIO and part.file_size > MAXIMUM_RATIO * part.compress_size for part in parts
            ):
                raise RefusedFileError("archive_bomb")
            with archive.open(_BODY) as body:
                if b"<!DOCTYPE" in body.read(4096):
                    raise RefusedFileError("unreadable")
    except BadZipFile:
        raise RefusedFileError("unreadable") from None


def _lines(block: Paragraph | Table) -> Iterator[tuple[str, int]]:
    """(words, letters that are not seen) of a paragraph, or of each row of a table."""
    if isinstance(block, Paragraph):
        style = block.style.name if block.style is not None else None
        heading = "# " if (style or "").lower().startswith(("heading", "title", "título", "titulo")) else ""
        text, hidden = _shown(block, in_table=False)
        yield heading + text if text else "", hidden
        return
    for row in block.rows:
        cells, hidden = [], 0
        for cell in dict.fromkeys(row.cells):
            read = [_shown(paragraph, in_table=True) for paragraph in cell.paragraphs]
            cells.append(" ".join(text for text, _ in read if text))
            hidden += sum(unseen for _, unseen in read)
        yield " | ".join(cell for cell in cells if cell), hidden


def _shown(paragraph: Paragraph, *, in_table: bool) -> tuple[str, int]:
    shown, hidden = [], 0
    for part in paragraph.iter_inner_content():
        for run in [part] if isinstance(part, Run) else part.runs:
            if _is_hidden(run, in_table):
                hidden += sum(map(str.isalpha, run.text))
            else:
                shown.append(run.text)
    return "".join(shown).strip(), hidden


def _is_hidden(run: Run, in_table: bool) -> bool:
    """White is for the headings of tables and for what has a ground of its own; elsewhere it is for nobody."""
    font = run.font
    is_white = font.color is not None and font.color.rgb == _WHITE
    has_ground = in_table or font.highlight_color is not None or bool(run._r.xpath("ancestor::w:p//w:shd"))
    return bool(font.hidden) or (font.size is not None and font.size < SMALLEST) or (is_white and not has_ground)
