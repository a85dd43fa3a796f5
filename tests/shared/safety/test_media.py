"""What customers send is told by its bytes: one kind, one thing, no larger than it should be."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.safety.media import MAXIMUM_PIXELS, RefusedMediaError, type_of
from tests.shared.safety.pictures import FILM, NOTE, OFFICE, SOUND, gif, jpeg, png, webp

PDF = b"%PDF-1.7\n"
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
        ("document", b"PK\x03\x04" + bytes(60)),
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
    assert refusal("document", OFFICE + b"word/vbaProject.bin") == "macros"


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
