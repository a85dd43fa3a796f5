"""Files as businesses have them and as attackers make them, written here byte by byte."""

import zipfile
from io import BytesIO

import docx
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, TextStringObject

MENU = "Abrimos de lunes a viernes de 9 a 18. La docena de medialunas cuesta 4800 pesos."
ORDERS = "Este texto no lo ve nadie que abra el documento."


def pdf(*contents: str, encrypted: bool = False, script: bool = False) -> bytes:
    """A page for each content stream; F1 is Helvetica."""
    writer = PdfWriter()
    for content in contents:
        page = writer.add_blank_page(595, 842)
        stream = DecodedStreamObject()
        stream.set_data(content.encode("latin-1"))
        font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
        named = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
        fonts = DictionaryObject({NameObject("/F1"): named})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        page[NameObject("/Contents")] = writer._add_object(stream)
    if script:
        action = {"/S": NameObject("/JavaScript"), "/JS": TextStringObject("app.alert('hola');")}
        opens = DictionaryObject({NameObject(key): value for key, value in action.items()})
        writer.root_object[NameObject("/OpenAction")] = opens
    if encrypted:
        writer.encrypt("secreto")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def shown(text: str, *, before: str = "", size: float = 12, at: int = 800) -> str:
    """A piece of a content stream that writes a text."""
    return f"q {before} BT /F1 {size} Tf 50 {at} Td ({text}) Tj ET Q\n"


def word(*, hidden: str | None = None, white: str | None = None, table: bool = False) -> bytes:
    """A document with a heading and a paragraph, and what else is asked for."""
    document = docx.Document()
    document.add_heading("Horario", level=1)
    paragraph = document.add_paragraph(MENU)
    if hidden:
        paragraph.add_run(hidden).font.hidden = True
    if white:
        paragraph.add_run(white).font.color.rgb = docx.shared.RGBColor(0xFF, 0xFF, 0xFF)
    if table:
        rows = document.add_table(rows=2, cols=2)
        for place, text in enumerate(("Torta", "18900", "Café", "2500")):
            rows.cell(place // 2, place % 2).text = text
    written = BytesIO()
    document.save(written)
    return written.getvalue()


def archive_with(data: bytes, **parts: bytes) -> bytes:
    """The archive with more parts, or others in their place; `__` in a name is a slash and `_` a full stop."""
    named = {name.replace("__", "/").replace("_", "."): part for name, part in parts.items()}
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            if part.filename not in named:
                new.writestr(part, old.read(part))
        for name, body in named.items():
            new.writestr(name, body)
    return written.getvalue()
