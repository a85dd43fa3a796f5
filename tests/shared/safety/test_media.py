"""What customers send is told by its bytes: one kind, one thing, no larger than it should be."""

import struct
import zipfile
from functools import partial
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.safety.media import MAXIMUM_PIXELS, RefusedMediaError, type_of
from tests.shared.safety.pictures import (
    AAC_FRAME,
    AMR_FRAME,
    FILM,
    MP3_FRAME,
    NOTE,
    OFFICE,
    SOUND,
    archive,
    box,
    gif,
    jpeg,
    ogg_page,
    png,
    webp,
)  # fmt: skip

PDF = b"%PDF-1.7\n%%EOF\n"
PICTURES = [png, jpeg, gif, *(partial(webp, form=form) for form in (b"VP8 ", b"VP8L", b"VP8X"))]


def refusal(kind: str, data: bytes) -> str:
    with pytest.raises(RefusedMediaError) as refused:
        type_of(kind, data)
    return refused.value.reason


@pytest.mark.parametrize(
    ("kind", "data", "media_type"),
    [
        ("image", png(), "image/png"),
        ("image", jpeg(), "image/jpeg"),
        ("image", gif(), "image/gif"),
        ("sticker", webp(), "image/webp"),
        ("audio", SOUND, "audio/ogg"),
        ("audio", b"ID3\x04" + bytes(9), "audio/mpeg"),
        ("audio", b"#!AMR\n", "audio/amr"),
        ("audio", FILM, "audio/mp4"),
        ("video", FILM, "video/mp4"),
        ("document", PDF, "application/pdf"),
        ("document", OFFICE, "application/vnd.openxmlformats-officedocument"),
        ("document", NOTE, "text/plain"),
    ],
)
def test_each_kind_is_told_by_its_bytes(kind, data, media_type):
    assert type_of(kind, data) == media_type


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("image", b""),
        ("image", b"MZ" + bytes(60)),
        ("image", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("image", PDF),
        ("audio", png()),
        ("video", SOUND),
        ("video", b"\x1aE\xdf\xa3"),
        ("document", b"MZ" + bytes(60)),
        ("document", b"\x7fELF"),
        ("document", b"\xd0\xcf\x11\xe0"),
        ("document", b"hola\x00"),
        ("anything", SOUND),
    ],
)
def test_what_is_something_else_is_refused(kind, data):
    assert refusal(kind, data) == "kind_differs"


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize(
    "more", [b"<script>alert(1)</script>", b"<SCRIPT>", b"<?php ", b"<html>", b"%PDF-1.4", b"PK\x05\x06" + bytes(18)]
)
def test_a_picture_is_no_other_thing_besides(picture, more):
    data = picture(2, 2)
    assert type_of("image", data)
    assert refusal("image", data + more) == "polyglot"


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_no_larger_than_a_camera_takes(picture):
    side = int(MAXIMUM_PIXELS**0.5)
    assert type_of("image", picture(side, side))
    assert refusal("image", picture(16_000, 16_000)) == "too_many_pixels"


def test_a_picture_without_a_size_is_none():
    assert refusal("image", png(0, 5)) == "too_many_pixels"
    for picture in PICTURES:
        assert refusal("image", picture(2, 2)[: 9 if picture is gif else 14]) == "unreadable"


def test_a_document_with_macros_is_refused():
    assert refusal("document", archive(word__vbaProject_bin=b"x")) == "macros"


ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)
TWINS = {
    "png": ("image", png()),
    "jpeg": ("image", jpeg()),
    "a JPEG with its preview behind it": ("image", jpeg() + bytes(3) + jpeg()),
    "gif": ("image", gif()),
    "webp": ("image", webp()),
    "ogg": ("audio", SOUND),
    "chained ogg": ("audio", SOUND + SOUND),
    "mp3": ("audio", ID3 + MP3_FRAME * 3),
    "an mp3 with a tag behind it": ("audio", MP3_FRAME * 3 + b"TAG" + bytes(125)),
    "aac": ("audio", AAC_FRAME * 3),
    "amr": ("audio", b"#!AMR\n" + AMR_FRAME * 3),
    "mp4": ("video", box(b"ftyp", b"mp42") + box(b"moov", bytes(9)) + box(b"free", bytes(9)) + box(b"mdat", bytes(90))),
    "mp4 with its index behind": ("audio", box(b"ftyp", b"M4A ") + box(b"mdat", bytes(90)) + box(b"moov", bytes(9))),
    "pdf": ("document", PDF),
    "office": ("document", OFFICE),
}
TAILS = {
    "text": b"more",
    "a page": b"<html><body>hola</body></html>",
    "a script": b"<ScRiPt>alert(1)</sCrIpT>",
    "an archive": OFFICE,
    "an archive with a comment": OFFICE[:-2] + b"\x04\x00more",
    "a PDF": PDF + PDF.replace(b"%%EOF", b"") + b"x",
    "a film": FILM,
    "a program": b"MZ" + bytes(100) + b"x",
}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("twin", TWINS)
def test_nothing_may_follow_a_file(twin, tail):
    kind, data = TWINS[twin]
    assert type_of(kind, data)
    assert refusal(kind, data + TAILS[tail]) in ("polyglot", "unreadable")


@pytest.mark.parametrize("sign", [b"<script>1</script>", b"<!DOCTYPE html>", b"<svg onload=a>", b"%PDF-1.4", OFFICE])
def test_no_part_of_a_film_or_a_sound_is_something_else(sign):
    film = partial(lambda name, content: box(b"ftyp", b"mp42") + box(name, content) + box(b"mdat", bytes(90)))
    for name in (b"free", b"skip", b"udta", b"uuid", b"mdat", b"meta"):
        assert type_of("video", film(name, bytes(20))) == "video/mp4"
        assert refusal("video", film(name, bytes(4) + sign)) == "polyglot"
    tag = b"ID3\x04\x00\x00\x00\x00" + bytes([len(sign) >> 7, len(sign) & 0x7F])
    assert type_of("audio", tag + bytes(len(sign)) + MP3_FRAME) == "audio/mpeg"
    assert refusal("audio", tag + sign + MP3_FRAME) == "polyglot"
    assert refusal("audio", ogg_page(sign[:200])) == "polyglot" or sign is OFFICE


def changed(data: bytes, old: bytes, new: bytes, count: int = -1) -> bytes:
    assert old in data
    return data.replace(old, new, count)


def behind(junk: bytes) -> bytes:
    """An archive whose first entry lies behind other bytes, as its directory says."""
    written = BytesIO(junk)
    with zipfile.ZipFile(written, "a") as opened:
        opened.writestr("[Content_Types].xml", "<Types/>")
    return written.getvalue()


def with_gap(data: bytes, gap: bytes) -> bytes:
    """The archive of two entries with bytes between them that belong to neither, and with offsets that know of them."""
    second, directory, end = data.rindex(b"PK\x03\x04"), data.index(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    last = data.rindex(b"PK\x01\x02") + 42
    moved = data[:last] + struct.pack("<I", second + len(gap)) + data[last + 4 :]
    moved = moved[: end + 16] + struct.pack("<I", directory + len(gap)) + moved[end + 20 :]
    return moved[:second] + gap + moved[second:]


TWO_PARTS = archive(word__document_xml=b"hola")
ODD_ARCHIVES = {
    "bytes before the first entry": b"PK\x03\x04" + TWO_PARTS,
    "bytes behind the end": TWO_PARTS + b"x",
    "bytes that the directory knows of": behind(b"PK\x03\x04 and more"),
    "a gap between two entries": with_gap(TWO_PARTS, b"gap"),
    "a comment": TWO_PARTS[:-2] + b"\x01\x00x",
    "a gap before the directory": changed(TWO_PARTS, b"PK\x01\x02", b"xxPK\x01\x02", 1),
    "a local name of its own": changed(TWO_PARTS, b"word/document", b"word/documenx", 1),
    "a name that leaves": changed(TWO_PARTS, b"word/document.xml", b"../../../../passw"),
    "an absolute name": changed(TWO_PARTS, b"word/document.xml", b"/etc/document.xml"),
    "a name of another system": changed(TWO_PARTS, b"word/document.xml", b"C:rd\\document.xml"),
    "a name twice": changed(
        archive(word__document_xml=b"a", word__documenT_xml=b"b"), b"word/documenT", b"word/document"
    ),
    "a page among its parts": archive(index_html=b"hola"),
    "an archive of Java": archive(**{"META-INF__MANIFEST_MF": b"x"}),
}


@pytest.mark.parametrize("what", ODD_ARCHIVES)
def test_an_office_document_is_one_archive_without_gaps(what):
    assert type_of("document", TWO_PARTS) == "application/vnd.openxmlformats-officedocument"
    assert refusal("document", ODD_ARCHIVES[what]) == "polyglot"


@given(st.sampled_from(sorted(TWINS)), st.binary(min_size=1, max_size=60), st.booleans(), st.data())
def test_bytes_around_a_file_make_it_no_other_kind(twin, more, before, data):
    kind, whole = TWINS[twin]
    changed_file = more + whole if before else whole + more
    asked = data.draw(st.sampled_from(["image", "audio", "video", "document"]))
    try:
        told = type_of(asked, changed_file)
    except RefusedMediaError:
        return
    assert told.partition("/")[0] in type_of(kind, whole) or told == "video/mp4" or told == "audio/mp4"


@given(st.sampled_from(["image", "audio", "video", "document", "sticker"]), st.binary(max_size=300), st.integers(0, 5))
def test_any_bytes_are_told_or_refused(kind, data, head):
    begun = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF\x00\x00\x00\x00WEBP", b"PK\x03\x04"][
        head
    ] + data
    try:
        told = type_of(kind, begun)
    except RefusedMediaError as refused:
        told = f"/{refused.reason}"
    assert "/" in told


@pytest.mark.parametrize("twin", sorted(TWINS))
@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xf9",  # AAC, as it may begin
        b"\xff\xf1\x50\x80\x7f\xff\xfc",  # a frame of AAC that is longer than the file
        b"\xff\xfb\x90\x00",  # a frame of MP3
        b"\xff\xfb\xe0\x00",  # the longest one
        b"#!AMR\n\x3c",  # a frame of AMR
    ],
)
def test_a_frame_before_a_file_makes_no_sound_of_it(twin, head):
    kind, whole = TWINS[twin]
    assert type_of(kind, whole)
    if kind != "audio":
        assert refusal("audio", head + whole[:40]) in ("polyglot", "kind_differs", "unreadable")
        assert refusal("audio", head + whole) in ("polyglot", "kind_differs", "unreadable")
