"""Text that no reader sees is refused by name, however it is hidden; its seen twin is read."""

import subprocess
import sys
import zipfile
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.knowledge import reading
from shared.knowledge.refusal import RefusedFileError
from tests.shared.knowledge.documents import MENU, ORDERS, Pdf, archive_with, pdf, shown, word

ASKED = shown(MENU)
BEHIND = shown(ORDERS, at=600)


def refusal(kind: str, data: bytes) -> str:
    with pytest.raises(RefusedFileError) as refused:
        reading.text_of(kind, data)
    return refused.value.reason


# What hides it -> the file that hides, its twin that shows.
PDFS = {
    "white": (shown(ORDERS, before="1 g", at=600), shown(ORDERS, before=".6 g", at=600)),
    "nearly white": (shown(ORDERS, before=".97 .98 .97 rg", at=600), shown(ORDERS, before="1 0 0 rg", at=600)),
    "white by CMYK": (shown(ORDERS, before="0 0 0 0 k", at=600), shown(ORDERS, before="0 0 0 1 k", at=600)),
    "black on black": (
        "0 500 595 200 re f " + BEHIND,
        ".7 g 0 500 595 200 re f " + shown(ORDERS, before="0 g", at=600),
    ),
    "white on a white image": (
        "q 595 0 0 842 0 0 cm /White Do Q " + shown(ORDERS, before="1 g", at=600),
        "q 595 0 0 700 0 0 cm /Black Do Q " + shown(ORDERS, before="1 g", at=600) + shown(MENU, before="1 g", at=300),
    ),
    "render mode 3": (shown(ORDERS, before="3 Tr", at=600), shown(ORDERS, before="2 Tr", at=600)),
    "render mode 7": (shown(ORDERS, before="7 Tr", at=600), shown(ORDERS, before="1 Tr", at=600)),
    "tiny": (shown(ORDERS, size=0.8, at=600), shown(ORDERS, size=5, at=600)),
    "tiny by its matrix": (
        "q .05 0 0 .05 50 600 cm " + shown(ORDERS, at=0) + "Q",
        "q .5 0 0 .5 50 600 cm " + shown(ORDERS, at=0) + "Q",
    ),
    "squeezed": (shown(ORDERS, before="2 Tz", at=600), shown(ORDERS, before="60 Tz", at=600)),
    "below the page": (shown(ORDERS, at=-40), shown(ORDERS, at=40)),
    "left of the page": (
        "q 1 0 0 1 -900 0 cm " + BEHIND + "Q",
        "q 1 0 0 1 -20 0 cm " + BEHIND + "Q",
    ),
    "rotated off the page": ("q -1 0 0 -1 0 0 cm " + BEHIND + "Q", "q 0 1 -1 0 700 0 cm " + BEHIND + "Q"),
    "clipped": ("q 0 0 9 9 re W n " + BEHIND + "Q", "q 0 500 595 200 re W n " + BEHIND + "Q"),
    "clipped by nothing": ("q 0 0 m h W n " + BEHIND + "Q", "q " + BEHIND + "Q"),
    "under a white area": (BEHIND + "1 g 0 550 595 90 re f", "1 g 0 550 595 90 re f 0 g " + BEHIND),
    "under a black area": (BEHIND + "0 550 595 90 re f", ".9 g 0 550 595 90 re f 0 g " + BEHIND),
    "behind an image": (
        BEHIND + "q 595 0 0 90 0 550 cm /White Do Q",
        "q 595 0 0 90 0 550 cm /White Do Q " + BEHIND,
    ),
    "under other text": (
        shown(ORDERS, before="1 g", at=600) + shown(MENU, at=600),
        shown(MENU, before="1 0 0 1 1 -1 cm .7 g", at=600) + shown(MENU, at=600),
    ),
    "under its own glyphs": (
        f"BT /F1 12 Tf 50 600 Td [({ORDERS}) 24000 ({MENU})] TJ ET",
        f"BT /F1 12 Tf 50 600 Td [({ORDERS}) -300 (fin)] TJ ET",
    ),
    "transparent": (shown(ORDERS, before="/Clear gs", at=600), shown(ORDERS, before="/Half gs", at=600)),
    "in a layer that is off": ("/OC /Off BDC " + BEHIND + "EMC", "/OC /On BDC " + BEHIND + "EMC"),
    "in a layer in a layer": (
        "/OC /Off BDC /OC /On BDC " + BEHIND + "EMC EMC",
        "/OC /On BDC /OC /On BDC " + BEHIND + "EMC EMC",
    ),
    "in a form off the page": (
        "q 1 0 0 1 0 900 cm /Form Do Q",
        "q 1 0 0 1 0 100 cm /Form Do Q",
    ),
    "in a form under an area": ("/Form Do 1 g 0 0 595 900 re f " + ASKED, "1 g 0 0 595 900 re f 0 g /Form Do " + ASKED),
    "in a form of a layer that is off": ("/OffForm Do", "/Form Do"),
    "in a white form of a form": ("/Outer Do", "0 g /Form Do"),
    "by a pattern of white": (
        shown(ORDERS, before="/Cs1 cs 0 scn", at=600),
        shown(ORDERS, before="/Cs1 cs 1 scn", at=600),
    ),
    "glyphs that draw nothing": (
        "BT /Empty 12 Tf 50 600 Td (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj ET",
        "BT /Boxes 12 Tf 50 600 Td (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj ET",
    ),
}


@pytest.mark.parametrize("what", PDFS)
def test_unseen_text_of_a_pdf_is_refused_and_seen_text_read(what):
    hidden, seen = PDFS[what]
    assert refusal("pdf", pdf(ASKED + hidden)) == "hidden_text"
    text = reading.text_of("pdf", pdf(ASKED + seen))
    assert MENU in text
    assert len(text) > len(MENU) + 20


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_page_is_looked_at_as_it_is_turned_and_cropped(rotation):
    whole = Pdf(ASKED + BEHIND, rotation=rotation).bytes()
    cropped = Pdf(ASKED + BEHIND, rotation=rotation, crop=(0, 650, 595, 842)).bytes()
    assert ORDERS in reading.text_of("pdf", whole)
    assert refusal("pdf", cropped) == "hidden_text"
    assert MENU in reading.text_of("pdf", Pdf(ASKED, rotation=rotation, crop=(0, 650, 595, 842)).bytes())


def test_a_few_unseen_letters_are_left_out_and_not_refused():
    text = reading.text_of("pdf", pdf(ASKED + shown("menu.indd 1", at=-30) + shown("oculto", before="1 g", at=600)))
    assert MENU in text
    assert "indd" not in text
    assert "oculto" not in text


def test_the_recognised_words_of_a_scan_are_refused_by_a_name_of_their_own():
    image = "q 595 0 0 842 0 0 cm /White Do Q "
    assert refusal("pdf", pdf(image + shown(ORDERS, before="3 Tr"))) == "scanned_text"
    assert refusal("pdf", pdf(shown(ORDERS, before="3 Tr"))) == "hidden_text"
    assert ORDERS in reading.text_of("pdf", pdf(image + shown(ORDERS)))


@pytest.mark.parametrize("flags", [2, 32])
def test_notes_that_are_hidden_are_refused_and_others_not_read(flags):
    assert refusal("pdf", Pdf(ASKED, note=(ORDERS, flags)).bytes()) == "hidden_text"
    assert reading.text_of("pdf", Pdf(ASKED, note=(ORDERS, 4)).bytes()).strip() == MENU


def test_text_that_is_not_painted_is_not_read():
    actual = pdf(f"/Span << /ActualText ({ORDERS}) >> BDC {ASKED} EMC")
    described = Pdf(ASKED, title=ORDERS, attachment=ORDERS.encode()).bytes()
    for data in (actual, described):
        assert reading.text_of("pdf", data).strip() == MENU


def test_a_text_that_is_printed_twice_is_read_once():
    text = reading.text_of("pdf", pdf(ASKED + shown(MENU, before="1 0 0 1 .3 0 cm")))
    assert text.strip() == MENU


def test_an_old_revision_is_not_read():
    first = pdf(shown(ORDERS))
    assert reading.text_of("pdf", Pdf(ASKED, base=first).bytes()).strip() == MENU


def test_a_pdf_is_nothing_else_from_its_first_byte_to_its_last():
    data = pdf(ASKED)
    assert MENU in reading.text_of("pdf", data + b"\r\n\0\0")
    for tail in (word(), b"<script>alert(1)</script>", b"x", bytes(2000)):
        assert refusal("pdf", data + tail) == "polyglot"
    for head in (b"\n", b"<html>", word(), b"GIF89a"):
        assert refusal("pdf", head + data) == "kind_differs"
    inside = data.replace(b"%%EOF", b"%" + word().replace(b"\n", b"") + b"\n%%EOF")
    assert refusal("pdf", inside) == "polyglot"


def run(properties: str = "", text: str = ORDERS, kind: str = "t") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:{kind} xml:space="preserve">{text}</w:{kind}></w:r>'


def paragraph(runs: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>"


def table(runs: str, properties: str = "", row: str = "", cell: str = "", rows: int = 2) -> str:
    inner = f"<w:tr><w:trPr>{row}</w:trPr><w:tc><w:tcPr>{cell}</w:tcPr>{paragraph(runs)}</w:tc></w:tr>"
    return f"<w:tbl><w:tblPr>{properties}</w:tblPr>{inner * rows}</w:tbl>"


def document(blocks: str, styles: str = "") -> bytes:
    """The document of `word`, with more blocks and styles."""
    data = word()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        body = archive.read("word/document.xml").decode()
        own = archive.read("word/styles.xml").decode()
    body = body.replace("<w:sectPr", f"{blocks}<w:sectPr", 1)
    own = own.replace("</w:styles>", f"{styles}</w:styles>")
    return archive_with(data, word__document_xml=body.encode(), word__styles_xml=own.encode())


def style(kind: str, properties: str, base: str = "", name: str = "S1") -> str:
    based = f'<w:basedOn w:val="{base}"/>' if base else ""
    return f'<w:style w:type="{kind}" w:styleId="{name}"><w:name w:val="{name}"/>{based}{properties}</w:style>'


WHITE = '<w:color w:val="FFFFFF"/>'
DARK = '<w:shd w:val="clear" w:fill="1F3864"/>'
DARK_ROW = style("table", f'<w:tblStylePr w:type="firstRow"><w:tcPr>{DARK}</w:tcPr></w:tblStylePr>')
STYLED = '<w:tblStyle w:val="S1"/><w:tblLook w:firstRow="{}"/>'
FIELD = '<w:r><w:fldChar w:fldCharType="begin"/></w:r>{}<w:r><w:fldChar w:fldCharType="separate"/></w:r>{}' + (
    '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
)
WORDS = {
    "vanish": (paragraph(run("<w:vanish/>")), paragraph(run('<w:vanish w:val="0"/>'))),
    "vanish by a style": (
        (paragraph(run('<w:rStyle w:val="S1"/>')), style("character", "<w:rPr><w:vanish/></w:rPr>")),
        (paragraph(run('<w:rStyle w:val="S1"/>')), style("character", "<w:rPr><w:b/></w:rPr>")),
    ),
    "vanish by a style of a style": (
        (
            paragraph(run(), '<w:pStyle w:val="S1"/>'),
            style("paragraph", "", "S2") + style("paragraph", "<w:rPr><w:vanish/></w:rPr>", name="S2"),
        ),
        (
            paragraph(run(), '<w:pStyle w:val="S1"/>'),
            style("paragraph", "<w:rPr><w:vanish w:val='0'/></w:rPr>", "S2")
            + style("paragraph", "<w:rPr><w:vanish/></w:rPr>", name="S2"),
        ),
    ),
    "white": (paragraph(run(WHITE)), paragraph(run(WHITE), DARK)),
    "nearly white": (paragraph(run('<w:color w:val="FAFAFA"/>')), paragraph(run('<w:color w:val="808080"/>'))),
    "white by the theme": (
        paragraph(run('<w:color w:val="000000" w:themeColor="background1"/>')),
        paragraph(run('<w:color w:val="FFFFFF" w:themeColor="text1"/>')),
    ),
    "white in a table": (table(run(WHITE)), table(run(WHITE), cell=DARK)),
    "white where the style of the table is not dark": (
        (table(run(WHITE), STYLED.format("0"), rows=1), DARK_ROW),
        (table(run(WHITE), STYLED.format("1"), rows=1), DARK_ROW),
    ),
    "white below the dark row of a table": (
        (table(run(WHITE), STYLED.format("1"), rows=2), DARK_ROW),
        (table(run(), STYLED.format("1"), rows=2), DARK_ROW),
    ),
    "the colour of its ground": (paragraph(run('<w:color w:val="1F3864"/>' + DARK)), paragraph(run(WHITE + DARK))),
    "the colour of its mark": (
        paragraph(run('<w:color w:val="FFFF00"/><w:highlight w:val="yellow"/>')),
        paragraph(run('<w:color w:val="000000"/><w:highlight w:val="yellow"/>')),
    ),
    "no fill": (
        paragraph(run("<w14:textFill><w14:noFill/></w14:textFill>")),
        paragraph(run('<w14:textFill><w14:solidFill><w14:srgbClr w14:val="00B0F0"/></w14:solidFill></w14:textFill>')),
    ),
    "tiny": (paragraph(run('<w:sz w:val="2"/>')), paragraph(run('<w:sz w:val="10"/>'))),
    "squeezed": (paragraph(run('<w:w w:val="1"/>')), paragraph(run('<w:w w:val="80"/>'))),
    "on each other": (paragraph(run('<w:spacing w:val="-240"/>')), paragraph(run('<w:spacing w:val="-20"/>'))),
    "left of the page": (
        paragraph(run(), '<w:ind w:left="-9000"/>'),
        paragraph(run(), '<w:ind w:left="-400" w:hanging="360"/>'),
    ),
    "a line without height": (
        paragraph(run(), '<w:spacing w:line="2" w:lineRule="exact"/>'),
        paragraph(run(), '<w:spacing w:line="240" w:lineRule="exact"/>'),
    ),
    "a row without height": (
        table(run(), row='<w:trHeight w:val="1" w:hRule="exact"/>'),
        table(run(), row='<w:trHeight w:val="300" w:hRule="exact"/>'),
    ),
    "a hidden row": (table(run(), row="<w:hidden/>"), table(run())),
    "a frame off the page": (
        paragraph(run(), '<w:framePr w:x="-9000" w:y="1"/>'),
        paragraph(run(), '<w:framePr w:x="900" w:y="1"/>'),
    ),
    "the code of a field": (paragraph(FIELD.format(run(), "")), paragraph(FIELD.format("", run()))),
}


@pytest.mark.parametrize("what", WORDS)
def test_unseen_text_of_a_document_is_refused_and_seen_text_read(what):
    hidden, seen = (part if isinstance(part, tuple) else (part, "") for part in WORDS[what])
    assert refusal("docx", document(*hidden)) == "hidden_text"
    text = reading.text_of("docx", document(*seen))
    assert MENU in text
    assert ORDERS in text


@pytest.mark.parametrize(
    "block",
    [
        paragraph(f'<w:del w:id="1">{run(kind="delText")}{run()}</w:del>'),
        paragraph(f'<w:moveFrom w:id="1">{run()}</w:moveFrom>'),
        paragraph(run(kind="instrText")),
        paragraph(f"<evil:r xmlns:evil='urn:x'><evil:t>{ORDERS}</evil:t></evil:r>"),
        paragraph(f"<w:r><evil:t xmlns:evil='urn:x'>{ORDERS}</evil:t></w:r>"),
        paragraph(f"<w:r><w:pict><w:txbxContent>{paragraph(run())}</w:txbxContent></w:pict></w:r>"),
        f"<w:altChunk>{paragraph(run())}</w:altChunk>",
        f"<!-- {ORDERS} -->",
    ],
)
def test_what_is_not_the_body_of_a_document_is_not_read(block):
    text = reading.text_of("docx", document(block))
    assert MENU in text
    assert ORDERS not in text
    assert ORDERS in reading.text_of("docx", document(paragraph(f'<w:ins w:id="1">{run()}</w:ins>')))


def replaced(data: bytes, name: str, old: str, new: str) -> bytes:
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as archive, zipfile.ZipFile(written, "w") as changed:
        for part in archive.infolist():
            body = archive.read(part)
            if part.filename == name:
                assert old.encode() in body
                body = body.replace(old.encode(), new.encode())
            changed.writestr(part, body)
    return written.getvalue()


TYPES = "[Content_Types].xml"
PACKAGES = {
    "bytes before it": (b"x" + word(), "kind_differs"),
    "bytes behind it": (word() + b"<html>", "polyglot"),
    "a PDF behind it": (word() + pdf(ASKED), "polyglot"),
    "a page among its parts": (archive_with(word(), index_html=ORDERS.encode()), "polyglot"),
    "an archive of Java": (archive_with(word(), **{"META-INF__MANIFEST_MF": b"x"}), "polyglot"),
    "no types": (replaced(word(), TYPES, "document.main+xml", "document.other+xml"), "kind_differs"),
    "a macro type": (
        replaced(word(), TYPES, "vnd.openxmlformats-officedocument.wordprocessingml", "vnd.ms-word.macroEnabled"),
        "macros",
    ),
    "a body of its own types in UTF-16": (
        archive_with(word(), word__document_xml='<?xml version="1.0"?><!DOCTYPE x><x/>'.encode("utf-16")),
        "unreadable",
    ),
    "a late declaration": (
        archive_with(word(), word__document_xml=b"<!--" + b" " * 9000 + b"--><!DOCTYPE x><x/>"),
        "unreadable",
    ),
    "a program in a field": (document(paragraph(run(text="DDEAUTO c:\\\\cmd.exe", kind="instrText"))), "macros"),
    "tables in tables": (document("<w:sdt>" * 300 + "</w:sdt>" * 300), "unreadable"),
}


@pytest.mark.parametrize("what", PACKAGES)
def test_a_document_is_one_package_of_word(what):
    data, reason = PACKAGES[what]
    assert MENU in reading.text_of("docx", word())
    assert refusal("docx", data) == reason


def element(css: str, tag: str = "p", more: str = "") -> str:
    return f"<{tag} style='{css}' {more}>{ORDERS}</{tag}>"


PAGES = {
    "display": (element("display: none"), element("display:block")),
    "visibility": (element("visibility:hidden"), element("visibility:visible")),
    "opacity": (element("opacity:.01"), element("opacity:.8")),
    "font size": (element("font-size:0"), element("font-size:0.9em")),
    "font size in pixels": (element("font-size:1px"), element("font-size:11px")),
    "font": (element("font: bold 0/0 a"), element("font: bold 12px/1.2 Arial")),
    "white": (element("color:#fff"), element("color:#fff;background:#036")),
    "nearly white": (element("color:rgb(250,250,250)"), element("color:rgb(90,90,90)")),
    "colour of its ground": (element("color:#123456;background:#123457"), element("color:#fff;background:#123457")),
    "transparent": (element("color:transparent"), element("background:transparent")),
    "without alpha": (element("color:rgba(0,0,0,0)"), element("color:rgba(0,0,0,.9)")),
    "font element": (f"<font color=white>{ORDERS}</font>", f"<font color=red>{ORDERS}</font>"),
    "off the screen": (element("position:absolute;left:-9999px"), element("position:absolute;left:-9px")),
    "moved away": (element("transform:translate(-5000px,0)"), element("transform:rotate(5deg)")),
    "without size": (element("height:0;overflow:hidden"), element("min-height:0;line-height:1")),
    "clipped": (element("clip:rect(0,0,0,0);position:absolute"), element("clip:auto")),
    "hidden": (element("", more="hidden"), element("")),
    "a closed dialog": (element("", "dialog"), element("", "dialog", "open")),
    "a style sheet": (
        f"<style>.x {{ display:none }}</style><p class='a X'>{ORDERS}</p>",
        f"<style>.x {{ color:#333 }}</style><p class='a x'>{ORDERS}</p>",
    ),
    "a late style sheet": (
        f"<p id=x>{ORDERS}</p><style>/* */ p, div > #x {{ opacity:0 }}</style>",
        f"<p id=x>{ORDERS}</p><style>#y {{ opacity:0 }} p:hover {{ display:none }}</style>",
    ),
    "in what is hidden": (
        f"<div hidden><b><i style='display:block'>{ORDERS}</i></b></div>",
        f"<div><b><i style='display:block'>{ORDERS}</i></b></div>",
    ),
    "the first of two styles": (
        f"<p style='display:none' style=''>{ORDERS}</p>",
        f"<p style='' style='display:none'>{ORDERS}</p>",
    ),
}


@pytest.mark.parametrize("what", PAGES)
def test_unseen_text_of_a_web_page_is_refused_and_seen_text_read(what):
    hidden, seen = PAGES[what]
    assert refusal("html", f"<p>{MENU}</p>{hidden}".encode()) == "hidden_text"
    text = reading.text_of("html", f"<p>{MENU}</p>{seen}".encode())
    assert MENU in text
    assert ORDERS in text


@pytest.mark.parametrize(
    "tag", ["script", "style", "template", "noscript", "noembed", "noframes", "video", "canvas", "title", "object"]
)
def test_what_a_browser_does_not_show_is_not_read(tag):
    page = f"<p>{MENU}</p><{tag}>{ORDERS}</{tag}><!-- {ORDERS} --><img alt='{ORDERS}'>"
    assert reading.text_of("html", page.encode()).strip() == MENU


def test_a_text_is_no_archive_and_no_other_kind():
    text = MENU.encode()
    assert reading.text_of("txt", text) == MENU
    assert refusal("txt", text + word()) in ("polyglot", "kind_differs")
    assert refusal("txt", text + b"PK\x05\x06" + b" " * 18) in ("polyglot", "kind_differs")
    for encoded in (MENU.encode("utf-16-le"), MENU.encode("utf-32")):
        assert refusal("txt", encoded) in ("kind_differs", "unreadable")


SAMPLES = {
    "pdf": pdf(ASKED),
    "docx": word(),
    "html": f"<p>{MENU}</p>".encode(),
    "txt": MENU.encode(),
}


KINDS = st.sampled_from(sorted(SAMPLES))


@settings(max_examples=200, deadline=None)
@given(KINDS, KINDS, st.binary(min_size=1, max_size=80), st.booleans())
def test_a_file_with_bytes_around_it_is_no_other_kind(kind, asked, more, before):
    data = more + SAMPLES[kind] if before else SAMPLES[kind] + more
    try:
        reading.text_of(asked, data)
    except RefusedFileError:
        return
    assert asked == kind or not {asked, kind} & {"pdf", "docx"}


def flipped(data: bytes, index: int, value: int) -> bytes:
    place = index % len(data)
    return data[:place] + bytes([value]) + data[place + 1 :]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["docx", "html", "pdf"]), st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused(kind, index, value):
    try:
        text = reading.text_of(kind, flipped(SAMPLES[kind], index, value))
    except RefusedFileError as refused:
        text = refused.reason
    assert text


def forms(count: int, *, loop: bool) -> bytes:
    """A PDF of forms that each draw the next one twice, the last one drawing the first if `loop`."""
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R "
        b"/Resources << /XObject << /X 5 0 R >> >> >>",
        b"<< /Length 5 >> stream\n/X Do\nendstream",
    ]
    for number in range(count):
        following = 5 if loop and number == count - 1 else 6 + min(number, count - 2)
        parts.append(
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 99 99] /Resources << /XObject << /X %d 0 R >> >> "
            b"/Length 11 >> stream\n/X Do /X Do\nendstream" % following
        )
    written = b"%PDF-1.7\n"
    offsets = []
    for number, part in enumerate(parts, 1):
        offsets.append(len(written))
        written += b"%d 0 obj %s endobj\n" % (number, part)
    table_of_offsets = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(parts) + 1
    return (
        written
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
        % (
            size,
            table_of_offsets,
            size,
            len(written),
        )
    )


@pytest.mark.parametrize(
    "data",
    {
        "forms in a loop": forms(3, loop=True),
        "forms that double": forms(40, loop=False),
        "a million operators": pdf("q Q " * 500_000),
        "a million texts": pdf("BT /F1 1 Tf " + "(a) Tj " * 500_000 + "ET"),
        "a page without end": pdf(ASKED).replace(b"842", b"9e9"),
    }.values(),
)
def test_what_takes_for_ever_is_ended(data):
    with pytest.raises(RefusedFileError) as refused:
        reading.words_of("pdf", data, 3)
    assert refused.value.reason in ("too_slow", "too_long", "no_text", "unreadable", "hidden_text")


# Of each kind, and of each encoding and font that a parser could fetch something for.
OPENED = [
    *SAMPLES.items(),
    ("txt", MENU.encode("utf-16")),
    ("csv", f"Menú;Menú\n{MENU};1".encode("cp1252")),
    ("pdf", Pdf(ASKED + PDFS["glyphs that draw nothing"][1], title=MENU, note=(MENU, 4)).bytes()),
    ("pdf", pdf(ASKED).replace(b"/Helvetica", b"/Unknown00")),
    ("docx", document(WORDS["white by the theme"][1])),
]


def test_parsers_open_no_file_once_they_are_imported():
    program = (
        "import resource, sys;"
        "from shared.knowledge import reading, pdf, word;"
        "from tests.shared.knowledge.test_unseen import MENU, OPENED;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3));"
        "sys.exit(any(MENU not in reading.text_of(kind, data) for kind, data in OPENED))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
