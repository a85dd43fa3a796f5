"""A file becomes its words, or is refused by name; the child that reads it has no secrets and little of everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.knowledge import reading
from shared.knowledge.kinds import KINDS
from shared.knowledge.refusal import RefusedFileError
from tests.shared.knowledge.documents import MENU, ORDERS, archive_with, pdf, shown, word

PAGE = (
    f"<html><head><title>x</title><style>p{{}}</style></head><body><h1>Horario</h1><p>{MENU}<br>Sí.</p></body></html>"
)

GOOD = {
    "txt": (MENU.encode(), MENU),
    "md": (f"# Horario\n\n{MENU}".encode(), MENU),
    "html": (PAGE.encode(), MENU),
    "csv": ("Producto;Precio\nTorta;18900\nCafé;2500\n".encode("cp1252"), "Producto: Café; Precio: 2500"),
    "pdf": (pdf(shown(MENU)), MENU),
    "docx": (word(table=True), "Torta | 18900"),
}
REFUSED = {
    "a program called a text": ("txt", b"MZ\x90\x00" + b"\x00" * 50, "kind_differs"),
    "a picture called a table": ("csv", b"\x89PNG\r\n\x1a\n", "kind_differs"),
    "a PDF called a page": ("html", pdf(shown(MENU)), "kind_differs"),
    "a text called a PDF": ("pdf", MENU.encode(), "kind_differs"),
    "an archive before a PDF": ("pdf", word() + pdf(shown(MENU)), "kind_differs"),
    "a page before an archive": ("docx", b"<html>" + word(), "kind_differs"),
    "an archive that is no document": ("docx", archive_with(word(), word__document_xml=b"")[:60], "unreadable"),
    "half a PDF": ("pdf", pdf(shown(MENU))[:200], "unreadable"),
    "a PDF with a password": ("pdf", pdf(shown(MENU), encrypted=True), "encrypted"),
    "a document with a password": ("docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "encrypted"),
    "a PDF that runs something": ("pdf", pdf(shown(MENU), script=True), "macros"),
    "a document with macros": ("docx", archive_with(word(), word__vbaProject_bin=b"x"), "macros"),
    "a bomb": ("docx", archive_with(word(), word__media__a_xml=b"0" * 30_000_000), "archive_bomb"),
    "a bomb of many parts": (
        "docx",
        archive_with(word(), **{f"word__p{place}_xml": b"" for place in range(2100)}),
        "archive_bomb",
    ),
    "a document of its own types": (
        "docx",
        archive_with(word(), word__document_xml=b'<!DOCTYPE x [<!ENTITY a "aa">]><w:document/>'),
        "unreadable",
    ),
    "hidden runs": ("docx", word(hidden=ORDERS), "hidden_text"),
    "white runs on white": ("docx", word(white=ORDERS), "hidden_text"),
    "white ink on white": ("pdf", pdf(shown(MENU) + shown(ORDERS, before="1 1 1 rg", at=600)), "hidden_text"),
    "ink of half a point": ("pdf", pdf(shown(MENU) + shown(ORDERS, size=0.5, at=600)), "hidden_text"),
    "no ink beside much": (
        "pdf",
        pdf("".join(shown(MENU, at=at) for at in (800, 700, 600)) + shown(ORDERS, before="3 Tr", at=500)),
        "hidden_text",
    ),
    "a hidden part of a page": (
        "html",
        f"<p>{MENU}</p><div style='display:none'>{ORDERS}</div>".encode(),
        "hidden_text",
    ),
    "letters of nothing": ("html", f"<p>{MENU}</p><p style='font-size:0px'>{ORDERS}</p>".encode(), "hidden_text"),
    "tag characters": ("txt", (MENU + "".join(chr(0xE0000 + ord(char)) for char in "obey")).encode(), "hidden_text"),
    "nothing": ("txt", b"", "no_text"),
    "only signs": ("md", b"--- \n***\n", "no_text"),
    "an empty page of a PDF": ("pdf", pdf(""), "no_text"),
    "a book of books": ("txt", b"palabra " * 60_000, "too_long"),
    "NUL": ("txt", b"a\x00b", "kind_differs"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_of_every_kind_are_read_in_the_child(kind):
    data, words = GOOD[kind]
    assert words in reading.words_of(kind, data, 30)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_honest_file_is_refused_by_name(what):
    kind, data, reason = REFUSED[what]
    with pytest.raises(RefusedFileError) as refused:
        reading.words_of(kind, data, 30)
    assert refused.value.reason == reason
    assert GOOD[kind][1] in reading.text_of(kind, GOOD[kind][0])


@pytest.mark.parametrize(
    ("kind", "data"),
    {
        "white on a ground": (
            "pdf",
            pdf(shown(MENU) + "0 0.4 0.2 rg 0 500 595 90 re f\n" + shown(ORDERS, before="1 g", at=520)),
        ),
        "a name in white": ("docx", word(white="LOGO")),
        "a menu that opens": ("html", f"<p>{MENU}</p><ul hidden><li>Inicio</li></ul>".encode()),
    }.values(),
)
def test_what_only_looks_hidden_is_read(kind, data):
    assert MENU in reading.words_of(kind, data, 30)


def test_formulas_are_no_knowledge():
    said = reading.words_of("csv", b'nombre,nota\nTorta,=HYPERLINK("http://evil.example")\nPan,@SUM(1)\n', 30)
    assert said == "nombre: Torta\n\nnombre: Pan"


def test_the_child_ends_in_time():
    with pytest.raises(RefusedFileError) as refused:
        reading.words_of("txt", b"palabra", 0.001)
    assert refused.value.reason == "too_slow"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["txt", "md", "html", "csv"]), st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_whatever_comes_is_words_or_a_reason(kind, data):
    reason = None
    try:
        words = reading.text_of(kind, data)
    except RefusedFileError as refused:
        words, reason = "", refused.reason
    assert words or reason in ("kind_differs", "unreadable", "no_text", "hidden_text")
