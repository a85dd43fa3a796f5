"""The pages of a PDF by PDFium: their glyphs, and their picture with and without some of the text.

PDFium is called below its Python helpers. It gets no folder of fonts: a page looks the same on every machine, and
PDFium opens no file after the import.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pypdfium2_raw as api

from shared.knowledge.refusal import RefusedFileError

# Pixels. No side of a picture is longer, so that one takes at most 27 MB.
MAX_SIDE = 3000
BYTES_PER_PIXEL = 3
# Objects of one page and of its forms. More are not read by a person, and take minutes.
MAX_OBJECTS = 200_000
# Characters of one page: more than a whole file may have (`too_long` in reading.py).
MAX_GLYPHS = 400_000
# Levels of forms in forms. PDFium stops a loop by itself.
MAX_DEPTH = 32
# Points. A text that is printed twice to look bold is shifted by no more.
COPY_DISTANCE = 1.5
# Share of a page. An image this large is the page of a scan.
SCAN_SHARE = 0.5
_MODE_INVISIBLE = 3
# Pixels. Large, since PDFium answers whole pixels.
_GRID = 1_000_000
_NO_FONT_FOLDERS = (ctypes.POINTER(ctypes.c_char) * 1)()

api.FPDF_InitLibraryWithConfig(
    api.FPDF_LIBRARY_CONFIG(
        version=2, m_pUserFontPaths=ctypes.cast(_NO_FONT_FOLDERS, ctypes.POINTER(ctypes.POINTER(ctypes.c_char)))
    )
)

Box = tuple[float, float, float, float]


class Glyph(NamedTuple):
    """A character of a page. `owner` is the address of its text object, None if PDFium added a space or a line end.

    `box`: left, top, right, bottom in points, from the upper left corner of the visible page.
    """

    char: str
    owner: int | None
    box: Box


class Picture(NamedTuple):
    """The pixels of a page, three bytes each. `scale`: pixels per point. `stride`: bytes per row."""

    pixels: bytes
    stride: int
    width: int
    height: int
    scale: float


class TextObject(NamedTuple):
    """One operator that shows text. `is_invisible`: render mode 3."""

    handle: Any
    font: int | None
    bounds: Box
    is_invisible: bool


@contextmanager
def open_document(data: bytes) -> Iterator[Any]:
    """Open a document. Raises RefusedFileError (`encrypted`, `unreadable`)."""
    document = api.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        raise RefusedFileError("encrypted" if api.FPDF_GetLastError() == api.FPDF_ERR_PASSWORD else "unreadable")
    try:
        yield document
    finally:
        api.FPDF_CloseDocument(document)


@contextmanager
def open_page(document: Any, index: int) -> Iterator["Page"]:
    """Open one page of a document. Raises RefusedFileError (`unreadable`)."""
    handle = api.FPDF_LoadPage(document, index)
    if not handle:
        raise RefusedFileError("unreadable")
    try:
        page = Page(handle)
        try:
            yield page
        finally:
            api.FPDFText_ClosePage(page.text_handle)
    finally:
        api.FPDF_ClosePage(handle)


def count_pages(document: Any) -> int:
    """Count the pages of a document."""
    return int(api.FPDF_GetPageCount(document))


class Page:
    """One page, without its ActualText: what a text says of itself must not replace the glyphs that are drawn."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.width, self.height = api.FPDF_GetPageWidthF(handle), api.FPDF_GetPageHeightF(handle)
        if not (0 < self.width < float("inf") and 0 < self.height < float("inf")):
            raise RefusedFileError("unreadable")
        self.texts: dict[int, TextObject] = {}
        self.is_scan = False
        for item in self._objects():
            self._register(item)
        self._to_shown = self._transform()
        self.text_handle = api.FPDFText_LoadPage(handle)
        if not self.text_handle:
            raise RefusedFileError("unreadable")
        self.glyphs = self._read_glyphs()
        self._copies = self._find_copies()

    def draw(self, pixels_per_point: float, without: frozenset[int] = frozenset()) -> Picture:
        """Draw the page and its annotations as a screen shows them. `without`: text objects that are left out."""
        scale = min(pixels_per_point, MAX_SIDE / max(self.width, self.height))
        width, height = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        absent = [self.texts[address].handle for address in without]
        absent += [self.texts[copy].handle for copy, original in self._copies.items() if original in without]
        for text in absent:
            api.FPDFPageObj_SetIsActive(text, False)
        bitmap = api.FPDFBitmap_CreateEx(width, height, api.FPDFBitmap_BGR, None, 0)
        if not bitmap:
            raise MemoryError
        try:
            api.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
            api.FPDF_RenderPageBitmap(bitmap, self._handle, 0, 0, width, height, 0, api.FPDF_ANNOT)
            stride = api.FPDFBitmap_GetStride(bitmap)
            pixels = ctypes.string_at(api.FPDFBitmap_GetBuffer(bitmap), stride * height)
        finally:
            api.FPDFBitmap_Destroy(bitmap)
            for text in absent:
                api.FPDFPageObj_SetIsActive(text, True)
        return Picture(pixels, stride, width, height, scale)

    def hidden_notes(self) -> str:
        """Return the text of annotations that no reader finds: hidden by a flag, without a size, or off the page."""
        return "".join(self._note(index) for index in range(api.FPDFPage_GetAnnotCount(self._handle)))

    def _note(self, index: int) -> str:
        annotation = api.FPDFPage_GetAnnot(self._handle, index)
        if not annotation:
            return ""
        try:
            corners = api.FS_RECTF()
            api.FPDFAnnot_GetRect(annotation, corners)
            left, top, right, bottom = self._to_shown(corners.left, corners.bottom, corners.right, corners.top)
            is_off = right <= 0 or bottom <= 0 or left >= self.width or top >= self.height
            is_empty = right - left < 1 or bottom - top < 1
            flags = api.FPDFAnnot_GetFlags(annotation) & (api.FPDF_ANNOT_FLAG_HIDDEN | api.FPDF_ANNOT_FLAG_NOVIEW)
            is_popup = api.FPDFAnnot_GetSubtype(annotation) == api.FPDF_ANNOT_POPUP
            if not (flags or is_off or is_empty) or is_popup:
                return ""
            return "".join(_annotation_text(annotation, key) for key in (b"Contents", b"V", b"RC"))
        finally:
            api.FPDFPage_CloseAnnot(annotation)

    def _objects(self) -> Iterator[Any]:
        page_count, page_object = api.FPDFPage_CountObjects, api.FPDFPage_GetObject
        waiting = [(page_object(self._handle, index), 0) for index in range(_bounded(page_count(self._handle)))]
        seen = 0
        while waiting:
            item, depth = waiting.pop()
            seen += 1
            if seen > MAX_OBJECTS:
                raise RefusedFileError("too_slow")
            yield item
            if api.FPDFPageObj_GetType(item) == api.FPDF_PAGEOBJ_FORM and depth < MAX_DEPTH:
                count = _bounded(api.FPDFFormObj_CountObjects(item))
                waiting += [(api.FPDFFormObj_GetObject(item, index), depth + 1) for index in range(count)]

    def _register(self, item: Any) -> None:
        """Take note of a text object, and of an image that fills the page."""
        kind = api.FPDFPageObj_GetType(item)
        if kind not in (api.FPDF_PAGEOBJ_TEXT, api.FPDF_PAGEOBJ_IMAGE):
            return
        bounds = _bounds(item)
        if kind == api.FPDF_PAGEOBJ_IMAGE:
            share = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) / (self.width * self.height)
            self.is_scan = self.is_scan or share >= SCAN_SHARE
            return
        _drop_actual_text(item)
        font = api.FPDFTextObj_GetFont(item)
        is_invisible = api.FPDFTextObj_GetTextRenderMode(item) == _MODE_INVISIBLE
        self.texts[_address(item)] = TextObject(item, _address(font) if font else None, bounds, is_invisible)

    def _read_glyphs(self) -> list[Glyph]:
        to_shown = self._to_shown
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        references = [ctypes.byref(edge) for edge in (left, right, bottom, top)]
        glyphs = []
        for index in range(_limited(api.FPDFText_CountChars(self.text_handle))):
            char = chr(api.FPDFText_GetUnicode(self.text_handle, index))
            owner = api.FPDFText_GetTextObject(self.text_handle, index)
            api.FPDFText_GetCharBox(self.text_handle, index, *references)
            box = to_shown(left.value, bottom.value, right.value, top.value)
            glyphs.append(Glyph(char, _address(owner) if owner else None, box))
        return glyphs

    def _find_copies(self) -> dict[int, int]:
        """Map each second copy of a text to its first. PDFium reads such a text once: the copy has no glyphs."""
        owners = {glyph.owner for glyph in self.glyphs if glyph.owner is not None}
        near: dict[tuple[int | None, int, int], list[int]] = {}
        for address in owners & self.texts.keys():
            text = self.texts[address]
            near.setdefault((text.font, *_cell(text.bounds)), []).append(address)
        copies = {}
        for address in self.texts.keys() - owners:
            text = self.texts[address]
            across, up = _cell(text.bounds)
            cells = [(text.font, across + x, up + y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
            for original in (found for cell in cells for found in near.get(cell, ())):
                edges = zip(text.bounds, self.texts[original].bounds, strict=True)
                if all(abs(one - other) <= COPY_DISTANCE for one, other in edges):
                    copies[address] = original
        return copies

    def _transform(self) -> Callable[[float, float, float, float], Box]:
        """Return the map of a box of the page to the visible page, whose rotation and origin may differ."""
        x, y = ctypes.c_int(), ctypes.c_int()

        def device(across: float, up: float) -> tuple[float, float]:
            api.FPDF_PageToDevice(self._handle, 0, 0, _GRID, _GRID, 0, across, up, x, y)
            return x.value * self.width / _GRID, y.value * self.height / _GRID

        unit = max(self.width, self.height)
        (x0, y0), (x1, y1), (x2, y2) = device(0, 0), device(unit, 0), device(0, unit)
        a, b, c, d = (x1 - x0) / unit, (y1 - y0) / unit, (x2 - x0) / unit, (y2 - y0) / unit

        def to_shown(left: float, bottom: float, right: float, top: float) -> Box:
            across = (x0 + a * left + c * bottom, x0 + a * right + c * top)
            down = (y0 + b * left + d * bottom, y0 + b * right + d * top)
            return min(across), min(down), max(across), max(down)

        return to_shown


def _limited(count: int) -> int:
    if count > MAX_GLYPHS:
        raise RefusedFileError("too_long")
    return count


def _bounded(count: int) -> int:
    if count > MAX_OBJECTS:
        raise RefusedFileError("too_slow")
    return count


def _address(handle: Any) -> int:
    return ctypes.addressof(handle.contents)


def _cell(bounds: Box) -> tuple[int, int]:
    return int(bounds[0] // COPY_DISTANCE), int(bounds[1] // COPY_DISTANCE)


def _bounds(item: Any) -> Box:
    edges = [ctypes.c_float() for _ in range(4)]
    api.FPDFPageObj_GetBounds(item, *map(ctypes.byref, edges))
    left, bottom, right, top = (edge.value for edge in edges)
    return left, bottom, right, top


def _drop_actual_text(item: Any) -> None:
    for index in reversed(range(api.FPDFPageObj_CountMarks(item))):
        mark = api.FPDFPageObj_GetMark(item, index)
        if mark and api.FPDFPageObjMark_GetParamValueType(mark, b"ActualText") != api.FPDF_OBJECT_UNKNOWN:
            api.FPDFPageObj_RemoveMark(item, mark)


def _annotation_text(annotation: Any, key: bytes) -> str:
    size = api.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    buffer = ctypes.create_string_buffer(size)
    api.FPDFAnnot_GetStringValue(annotation, key, ctypes.cast(buffer, ctypes.POINTER(api.FPDF_WCHAR)), size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
