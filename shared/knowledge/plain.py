"""Text, Markdown, tables and web pages: their words, as a person would see them."""

import codecs
import csv
import io
import re
from html.parser import HTMLParser

from shared.knowledge.refusal import RefusedFileError
from shared.knowledge.web_looks import Looks, Sheet, with_element
from shared.safety.containers import has_archive_end

# What begins so is no text, whatever its name says.
_BINARY = (
    b"%PDF-", b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0", b"MZ", b"\x7fELF", b"\x89PNG", b"\xff\xd8\xff",
    b"GIF8", b"RIFF", b"\x1f\x8b", b"BZh", b"Rar!", b"7z\xbc\xaf", b"\xfd7zXZ", b"OggS", b"ID3", b"\xca\xfe\xba\xbe",
    b"{\\rtf",
)  # fmt: skip
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Python loads a codec when it is first needed, and the process that reads a file may open no other one by then.
for _codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp437", "latin-1", "ascii"):
    codecs.lookup(_codec)
_DELIMITERS = ";,\t|"
# Elements in elements. A page of a person has a few dozen.
_MAX_DEPTH = 500
# So many letters that nobody sees are no accident.
HIDDEN_LETTERS = 20

_SILENT = frozenset(
    {
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "head",
        "object",
        "iframe",
        "select",
        "audio",
        "video",
        "canvas",
        "noembed",
        "noframes",
        "datalist",
        "textarea",
        "title",
    }
)
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form", "header", "hr", "li",
    "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul", "h1", "h2", "h3", "h4", "h5", "h6",
))  # fmt: skip


def decoded(data: bytes) -> str:
    """The characters of a text file: UTF-8, UTF-16 with its mark, or what Windows writes here.

    Raises RefusedFileError.
    """
    if data.startswith(_BINARY):
        raise RefusedFileError("kind_differs")
    if has_archive_end(data):
        raise RefusedFileError("polyglot")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = _decode(data, "utf-16")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = _decode(data, "cp1252")
    if _CONTROLS.search(text):
        raise RefusedFileError("kind_differs")
    return text


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise RefusedFileError("unreadable") from None


def table(data: bytes) -> str:
    """A paragraph a row, "heading: cell; heading: cell". A formula is a command to a spreadsheet and no knowledge."""
    text = decoded(data)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    except csv.Error:
        raise RefusedFileError("unreadable") from None
    headings = [cell.strip() for cell in rows[0]] if rows else []
    paragraphs = []
    for row in rows[1:]:
        cells = [
            f"{heading}: {cell.strip()}" if heading else cell.strip()
            for heading, cell in zip([*headings, *[""] * len(row)], row, strict=False)
            if cell.strip() and not cell.lstrip().startswith(("=", "@"))
        ]
        paragraphs.append("; ".join(cells))
    return "\n\n".join(paragraphs or ["; ".join(headings)])


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def page(data: bytes) -> str:
    """What a web page shows. Raises RefusedFileError where it holds words that nobody sees."""
    text, sheet = decoded(data), Sheet()
    # Twice: a style sheet at the end of a page counts for all of it.
    for reader in (_Page(Sheet(), sheet), _Page(sheet, Sheet())):
        reader.feed(text)
        reader.close()
    if reader.hidden >= HIDDEN_LETTERS:
        raise RefusedFileError("hidden_text")
    return "".join(reader.shown)


class _Page(HTMLParser):
    """Words that are shown, and how many letters are not."""

    def __init__(self, sheet: Sheet, found: Sheet) -> None:
        """`sheet`: the rules that count; `found`: where those of this page are added."""
        super().__init__(convert_charrefs=True)
        self.shown: list[str] = []
        self.hidden = 0
        self._sheet = sheet
        self._found = found
        self._open: list[tuple[str, bool, Looks]] = []  # tag, silent, looks

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.shown.append("\n\n# " if tag[0] == "h" and tag[1:].isdigit() else "\n\n")
        if tag in _VOID:
            return
        if len(self._open) >= _MAX_DEPTH:
            raise RefusedFileError("unreadable")
        _, silent, looks = self._open[-1] if self._open else ("", False, Looks())
        # The first of two attributes of a name counts, as in a browser.
        given = dict(reversed(attrs))
        self._open.append((tag, silent or tag in _SILENT, with_element(looks, self._sheet, tag, given)))

    def handle_endtag(self, tag: str) -> None:
        if any(tag == opened for opened, _, _ in self._open):
            while self._open.pop()[0] != tag:
                pass
        if tag in _BLOCKS:
            self.shown.append("\n\n")

    def handle_data(self, data: str) -> None:
        tag, silent, looks = self._open[-1] if self._open else ("", False, Looks())
        if tag == "style":
            self._found.add(data)
        if silent:
            return
        if looks.is_seen():
            self.shown.append(re.sub(r"\s+", " ", data))
        else:
            self.hidden += sum(map(str.isalnum, data))
