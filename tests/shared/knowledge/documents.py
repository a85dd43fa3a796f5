"""Files as businesses have them and as attackers make them, written here byte by byte."""

import zipfile
from io import BytesIO

import docx
from pypdf import PageObject, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    PdfObject,
    TextStringObject,
)

MENU = "Abrimos de lunes a viernes de 9 a 18. La docena de medialunas cuesta 4800 pesos."
ORDERS = "Este texto no lo ve nadie que abra el documento."


def pdf(*contents: str, encrypted: bool = False, script: bool = False) -> bytes:
    """A page for each content stream. Names in it: see Pdf."""
    return Pdf(*contents, encrypted=encrypted, script=script).bytes()


def _names(**values: PdfObject) -> DictionaryObject:
    return DictionaryObject({NameObject(f"/{name}"): value for name, value in values.items()})


class Pdf:
    """A PDF of content streams.

    F1 is Helvetica; Empty and Boxes are fonts whose glyphs draw nothing and a box. White and Black are images; Form,
    OffForm (in a layer that is off) and Outer (white, around Form) write ORDERS. On and Off are layers, Clear and Half
    are transparent, and Cs1 is an ink. `note`: text and flags of an annotation. `base`: an earlier revision.
    """

    def __init__(
        self,
        *contents: str,
        encrypted: bool = False,
        script: bool = False,
        rotation: int = 0,
        crop: tuple[int, int, int, int] | None = None,
        note: tuple[str, int] | None = None,
        title: str = "",
        attachment: bytes = b"",
        base: bytes = b"",
    ) -> None:
        self._writer = PdfWriter(BytesIO(base), incremental=True) if base else PdfWriter()
        self._rotation, self._crop, self._note = rotation, crop, note
        if base:
            self._fill(self._writer.pages[0], contents[0])
        else:
            for content in contents:
                self._fill(self._writer.add_blank_page(595, 842), content)
        if script:
            opens = _names(S=NameObject("/JavaScript"), JS=TextStringObject("app.alert('hola');"))
            self._writer.root_object[NameObject("/OpenAction")] = opens
        if title:
            self._writer.add_metadata({"/Title": title})
            self._writer.add_outline_item(title=title, page_number=0)
        if attachment:
            self._writer.add_attachment("notas.txt", attachment)
        if encrypted:
            self._writer.encrypt("secreto")

    def bytes(self) -> bytes:
        written = BytesIO()
        self._writer.write(written)
        return written.getvalue()

    def _fill(self, page: PageObject, content: str) -> None:
        page[NameObject("/Resources")] = self._resources()
        page[NameObject("/Contents")] = self._stream(content)
        if self._rotation:
            page[NameObject("/Rotate")] = NumberObject(self._rotation)
        if self._crop:
            page[NameObject("/CropBox")] = ArrayObject(map(NumberObject, self._crop))
        if self._note:
            text, flags = self._note
            note = _names(
                Type=NameObject("/Annot"),
                Subtype=NameObject("/FreeText"),
                Rect=_numbers(50, 50, 300, 90),
                Contents=TextStringObject(text),
                F=NumberObject(flags),
                DA=TextStringObject("/F1 12 Tf"),
            )
            page[NameObject("/Annots")] = ArrayObject([self._writer._add_object(note)])

    def _stream(self, content: str, **entries: PdfObject) -> PdfObject:
        stream = DecodedStreamObject()
        stream.set_data(content.encode("latin-1"))
        stream.update(_names(**entries))
        return self._writer._add_object(stream)

    def _resources(self) -> DictionaryObject:
        layers = {}
        for name in ("On", "Off"):
            layer = _names(Type=NameObject("/OCG"), Name=TextStringObject(name))
            layers[name] = self._writer._add_object(layer)
        every = ArrayObject(layers.values())
        off = _names(OFF=ArrayObject([layers["Off"]]), Order=every)
        self._writer.root_object[NameObject("/OCProperties")] = _names(OCGs=every, D=off)
        fonts = _names(
            F1=self._helvetica(), Empty=self._drawn("600 0 d0"), Boxes=self._drawn("600 0 d0 50 0 400 600 re f")
        )
        box = {"Type": NameObject("/XObject"), "Subtype": NameObject("/Form"), "BBox": _numbers(0, 0, 595, 842)}
        inside = _names(Font=fonts)
        text = f"BT /F1 12 Tf 50 20 Td ({ORDERS}) Tj ET"
        form = self._stream(text, Resources=inside, **box)
        outer = self._stream("1 g /Form Do", Resources=_names(XObject=_names(Form=form)), **box)
        ink = "{ 1 exch sub }"
        function = self._stream(ink, FunctionType=NumberObject(4), Domain=_numbers(0, 1), Range=_numbers(0, 1))
        separation = ArrayObject([NameObject("/Separation"), NameObject("/Ink"), NameObject("/DeviceGray"), function])
        return _names(
            Font=fonts,
            ColorSpace=_names(Cs1=separation),
            ExtGState=_names(Clear=_names(ca=FloatObject(0.0)), Half=_names(ca=FloatObject(0.5))),
            Properties=_names(**layers),
            XObject=_names(
                White=self._image("\xff"),
                Black=self._image("\x00"),
                Form=form,
                OffForm=self._stream(text, Resources=inside, OC=layers["Off"], **box),
                Outer=outer,
            ),
        )

    def _helvetica(self) -> DictionaryObject:
        entries = {"Type": "/Font", "Subtype": "/Type1", "BaseFont": "/Helvetica", "Encoding": "/WinAnsiEncoding"}
        return _names(**{name: NameObject(value) for name, value in entries.items()})

    def _drawn(self, glyph: str) -> DictionaryObject:
        """A font whose letter a is drawn by a content stream."""
        letters = ArrayObject([NumberObject(97), NameObject("/a")])
        return _names(
            Type=NameObject("/Font"),
            Subtype=NameObject("/Type3"),
            FontBBox=_numbers(0, 0, 600, 700),
            FontMatrix=ArrayObject(map(FloatObject, (0.001, 0, 0, 0.001, 0, 0))),
            CharProcs=_names(a=self._stream(glyph)),
            Encoding=_names(Type=NameObject("/Encoding"), Differences=letters),
            FirstChar=NumberObject(97),
            LastChar=NumberObject(97),
            Widths=_numbers(600),
            Resources=_names(),
        )

    def _image(self, pixel: str) -> PdfObject:
        return self._stream(
            pixel,
            Type=NameObject("/XObject"),
            Subtype=NameObject("/Image"),
            Width=NumberObject(1),
            Height=NumberObject(1),
            ColorSpace=NameObject("/DeviceGray"),
            BitsPerComponent=NumberObject(8),
        )


def _numbers(*values: int) -> ArrayObject:
    return ArrayObject(map(NumberObject, values))


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
