"""Text, Markdown, tables and web pages: their words, as a person would see them."""

import csv
import io
import re
from html.parser import HTMLParser

from shared.knowledge.refusal import RefusedFileError

# What begins so is no text, whatever its name says.
_BINARY = (
    b"%PDF-", b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0", b"MZ", b"\x7fELF", b"\x89PNG", b"\xff\xd8\xff",
    b"GIF8", b"RIFF", b"\x1f\x8b", b"BZh", b"Rar!", b"7z\xbc\xaf", b"\xfd7zXZ", b"OggS", b"ID3", b"\xca\xfe\xba\xbe",
    b"{\\rtf",
)  # fmt: skip
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_DELIMITERS = ";,\t|"
# So many letters that nobody sees are no accident.
HIDDEN_LETTERS = 20

_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "head", "object", "iframe", "select"})
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form", "header", "hr", "li",
    "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul", "h1", "h2", "h3", "h4", "h5", "h6",
))  # fmt: skip
_HIDES = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)"
    r"|font-size\s*:\s*0?(?:\.\d+)?(?:[01](?:\.\d+)?)?(?:px|pt|em|rem|%)?\s*(?:;|$)|text-indent\s*:\s*-\d{3,}"
    r"|(?:left|top)\s*:\s*-\d{3,}"
)


def decoded(data: bytes) -> str:
    """The characters of a text file: UTF-8, UTF-16 with its mark, or what Windows writes here.

    Raises RefusedFileError.
    """
    if data.startswith(_BINARY):
        raise RefusedFileError("kind_differs")
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
    reader = _Page()
    reader.feed(decoded(data))
    reader.close()
    if reader.hidden >= HIDDEN_LETTERS:
        raise RefusedFileError("hidden_text")
    return "".join(reader.shown)


class _Page(HTMLParser):
    """Words that are shown, and how many letters are not."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shown: list[str] = []
        self.hidden = 0
        self._open: list[tuple[str, bool, bool]] = []  # tag, silent, hidden

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.shown.append("\n\n# " if tag[0] == "h" and tag[1:].isdigit() else "\n\n")
        if tag in _VOID:
            return
        _, silent, hidden = self._open[-1] if self._open else ("", False, False)
        given = dict(attrs)
        hidden = hidden or "hidden" in given or bool(_HIDES.search((given.get("style") or "").lower()))
        self._open.append((tag, silent or tag in _SILENT, hidden))

    def handle_endtag(self, tag: str) -> None:
        if any(tag == opened for opened, _, _ in self._open):
            while self._open.pop()[0] != tag:
                pass
        if tag in _BLOCKS:
            self.shown.append("\n\n")

    def handle_data(self, data: str) -> None:
        _, silent, hidden = self._open[-1] if self._open else ("", False, False)
        if silent:
            return
        if hidden:
            self.hidden += sum(map(str.isalpha, data))
        else:
            self.shown.append(re.sub(r"\s+", " ", data))
