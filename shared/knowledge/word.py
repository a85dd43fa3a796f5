"""Word documents (docx): the words of their body that a reader sees, once the archive is known to be harmless.

Headers, footers, notes, comments, text boxes and alternative texts are not read: the body is what the document says.
"""

import re
import zlib
from io import BytesIO
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from shared.knowledge.plain import HIDDEN_LETTERS
from shared.knowledge.refusal import RefusedFileError
from shared.knowledge.word_styles import Looks, Styles, local, value
from shared.safety.containers import NotOneFormat, archive_entries, is_macro

Element = ElementTree.Element

# Bytes, parts, times. Unpacked, an honest document is no larger, and XML is seldom packed better than a hundred times.
MAXIMUM_UNPACKED, MAXIMUM_PARTS, MAXIMUM_RATIO, FREE_OF_RATIO = 64 * 1024 * 1024, 2000, 120, 1024 * 1024
# Levels of tables in tables and the like.
MAX_DEPTH = 100
_TYPES = "[Content_Types].xml"
_MAIN = ".wordprocessingml.document.main+xml"
# What is passed through on the way to the runs of a paragraph, and to the paragraphs of a body.
_INLINE = frozenset(
    {"hyperlink", "ins", "moveTo", "smartTag", "customXml", "sdt", "sdtContent", "fldSimple", "bdo", "dir"}
)
_BLOCK = frozenset({"body", "sdt", "sdtContent", "customXml", "ins", "moveTo"})
_RUNS_PROGRAM = re.compile(r"\bDDE(AUTO)?\b", re.IGNORECASE)


def read_docx(data: bytes) -> str:
    """Return paragraphs, headings and tables in their order. Raises RefusedFileError."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise RefusedFileError("encrypted")  # how Office wraps what has a password, and the format before 2007
    if not data.startswith(b"PK\x03\x04"):
        raise RefusedFileError("kind_differs")
    _check_archive(data)
    try:
        with ZipFile(BytesIO(data)) as archive:
            package = _Package(archive)
            body = _Body(package.styles, [])
            body.read(package.document)
    except (BadZipFile, KeyError, zlib.error, EOFError, NotImplementedError, ElementTree.ParseError, RecursionError):
        raise RefusedFileError("unreadable") from None
    if body.unseen >= HIDDEN_LETTERS:
        raise RefusedFileError("hidden_text")
    return "\n\n".join(body.blocks)


def _check_archive(data: bytes) -> None:
    """Look at the archive before anything is unpacked. Raises RefusedFileError."""
    try:
        parts = archive_entries(data)
    except NotOneFormat:
        raise RefusedFileError("polyglot" if b"PK\x05\x06" in data else "unreadable") from None
    if any(part.flags & 1 for part in parts):
        raise RefusedFileError("encrypted")
    if any(is_macro(part.name.lower()) for part in parts):
        raise RefusedFileError("macros")
    if len(parts) > MAXIMUM_PARTS or sum(part.size for part in parts) > MAXIMUM_UNPACKED:
        raise RefusedFileError("archive_bomb")
    if any(part.size > FREE_OF_RATIO and part.size > MAXIMUM_RATIO * part.compressed_size for part in parts):
        raise RefusedFileError("archive_bomb")


class _Package:
    """The parts of a document by what the package says of them (ECMA-376-2)."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._names = {name for name in archive.namelist() if not name.endswith("/")}
        if _TYPES not in self._names:
            raise RefusedFileError("kind_differs")
        types = self._xml(_TYPES)
        defaults = {(one.get("Extension") or "").lower() for one in types if local(one) == "Default"}
        overrides = {(one.get("PartName") or "").lstrip("/"): one.get("ContentType") or "" for one in types}
        main = self._related("_rels/.rels", "", "/officeDocument")
        if not overrides.get(main, "").endswith(_MAIN):
            raise RefusedFileError("macros" if "macroEnabled" in overrides.get(main, "") else "kind_differs")
        if any(
            name not in overrides and name.rpartition(".")[2].lower() not in defaults for name in self._names - {_TYPES}
        ):
            raise RefusedFileError("polyglot")  # a part that no Office document has
        folder, _, name = main.rpartition("/")
        rels = f"{folder}/_rels/{name}.rels"
        self.document = self._xml(main)
        theme = self._related(rels, folder, "/theme")
        styles = self._related(rels, folder, "/styles")
        self.styles = Styles(self._xml(styles) if styles else None, self._xml(theme) if theme else None, self.document)

    def _related(self, rels: str, folder: str, kind: str) -> str:
        """Return the name of the only part of a kind, "" if there is none."""
        targets = [
            one.get("Target") or ""
            for one in (self._xml(rels) if rels in self._names else ())
            if (one.get("Type") or "").endswith(kind) and one.get("TargetMode") != "External"
        ]
        if len(targets) > 1:
            raise RefusedFileError("kind_differs")
        if not targets:
            return ""
        name = targets[0].lstrip("/") if targets[0].startswith("/") or not folder else f"{folder}/{targets[0]}"
        if name not in self._names:
            raise RefusedFileError("kind_differs")
        return name

    def _xml(self, name: str) -> Element:
        """Parse a part. Its characters are UTF-8, and it declares no types of its own (ECMA-376-2, 8.1.4)."""
        try:
            text = self._archive.read(name).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RefusedFileError("unreadable") from None
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise RefusedFileError("unreadable")
        return ElementTree.fromstring(text)


class _Body:
    """The blocks of a body, and how many of its letters no reader sees."""

    def __init__(self, styles: Styles, fields: list[bool]) -> None:
        """`fields`: for each field that is open, whether its result has begun. The code before it is not shown."""
        self.blocks: list[str] = []
        self.unseen = 0
        self._styles = styles
        self._fields = fields

    def read(self, document: Element) -> None:
        """Read the body of a document part."""
        for child in document:
            if local(child) == "body":
                self.read_blocks(child, self._styles.page, 0)

    def read_blocks(self, parent: Element, looks: Looks, depth: int) -> None:
        """Read the paragraphs and tables of a body or a cell."""
        for child in parent:
            name = local(child)
            if name == "p":
                self._add_paragraph(child, looks, depth)
            elif name == "tbl":
                self._add_rows(child, looks, depth)
            elif name in _BLOCK:
                self.read_blocks(child, looks, _deeper(depth))

    def _add_paragraph(self, paragraph: Element, looks: Looks, depth: int) -> None:
        text = "".join(self._runs(paragraph, self._styles.of_paragraph(paragraph, looks), depth)).strip()
        heading = "# " if text and self._styles.is_heading(paragraph) else ""
        self.blocks.append(heading + text)

    def _add_rows(self, table: Element, looks: Looks, depth: int) -> None:
        looks = self._styles.of_table(table, looks)
        rows = _children(table, "tr")
        for row in rows:
            texts = []
            cells = _children(row, "tc")
            for cell in cells:
                parts = {
                    "firstColumn": cell is cells[0],
                    "lastColumn": cell is cells[-1],
                    "firstRow": row is rows[0],
                    "lastRow": row is rows[-1],
                }
                inside = _Body(self._styles, self._fields)
                inside.read_blocks(cell, self._styles.of_cell(table, row, cell, parts, looks), _deeper(depth))
                self.unseen += inside.unseen
                texts.append(" ".join(text for text in inside.blocks if text))
            self.blocks.append(" | ".join(text for text in texts if text))

    def _runs(self, parent: Element, looks: Looks, depth: int) -> list[str]:
        texts = []
        for child in parent:
            name = local(child)
            if name == "r":
                texts.append(self._run(child, looks))
            elif name in _INLINE:
                texts += self._runs(child, looks, _deeper(depth))
        return texts

    def _run(self, run: Element, looks: Looks) -> str:
        is_seen = self._styles.of_run(run, looks).is_seen()
        texts = []
        for child in run:
            name = local(child)
            if name == "fldChar":
                self._field(value(child, "fldCharType"))
            elif name == "instrText" and _RUNS_PROGRAM.search(child.text or ""):
                raise RefusedFileError("macros")
            elif name in ("t", "tab", "br", "cr", "noBreakHyphen"):
                text = {"t": child.text or "", "tab": "\t", "noBreakHyphen": "-"}.get(name, "\n")
                if is_seen and all(self._fields):
                    texts.append(text)
                else:
                    self.unseen += sum(map(str.isalnum, text))
        return "".join(texts)

    def _field(self, kind: str) -> None:
        if kind == "begin":
            self._fields.append(False)
        elif self._fields and kind == "separate":
            self._fields[-1] = True
        elif self._fields and kind == "end":
            self._fields.pop()


def _children(parent: Element, name: str) -> list[Element]:
    """Return the children of a name, those in content controls and insertions too."""
    found = []
    for child in parent:
        if local(child) == name:
            found.append(child)
        elif local(child) in _BLOCK:
            found += _children(child, name)
    return found


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise RefusedFileError("unreadable")
    return depth + 1
