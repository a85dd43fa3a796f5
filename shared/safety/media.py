"""What a picture, a sound or a document is, by its bytes: what it says of itself counts for nothing.

Whoever answers opens it in a browser. So it is of a kind that browsers and phones show, it is one thing only, and a
picture is no larger than a camera takes. Signatures: the formats' own specifications.
"""

import struct
from collections.abc import Callable
from typing import Literal

from shared.safety import containers

Kind = Literal["image", "audio", "video", "document", "sticker"]
Reason = Literal[
    "foreign_address", "gone", "kind_differs", "macros", "missing", "not_taken", "over_budget", "polyglot", "too_big",
    "too_many_pixels", "unreadable",
]  # fmt: skip

# What a person may send, and as what: kinds that WhatsApp and the pages take alike.
SENT: dict[str, Kind] = {
    "image/jpeg": "image", "image/png": "image", "audio/ogg": "audio", "audio/mpeg": "audio", "audio/aac": "audio",
    "audio/mp4": "audio", "video/mp4": "video", "application/pdf": "document",
}  # fmt: skip
_MEBIBYTE = 1024 * 1024

MAXIMUM_PIXELS = 60_000_000
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_SOUNDS = {
    b"OggS": "audio/ogg", b"ID3": "audio/mpeg", b"\xff\xfb": "audio/mpeg", b"\xff\xf3": "audio/mpeg",
    b"\xff\xf1": "audio/aac", b"\xff\xf9": "audio/aac", b"#!AMR": "audio/amr",
}  # fmt: skip
# What a browser would take for something else, wherever it finds it.
_FOREIGN = (b"<script", b"<html", b"<!doctype", b"<svg", b"<iframe", b"<?php", b"%pdf-")
# Formats whose last frame a recorder may have cut.
_CUT_SHORT = frozenset({"audio/mpeg", "audio/aac", "audio/amr"})
# Markers of a JPEG that carry its size: start of frame, without DHT, JPG and DAC (ITU T.81, table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class RefusedMediaError(Exception):
    """Media that is not kept. `reason` is the whole of it: nothing of the content is told."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def most_bytes(kind: Kind) -> int:
    """How large one may be: WhatsApp takes pictures of 5 MB and sounds and films of 16 MB (Cloud API, "Media")."""
    return (5 if kind == "image" else 16) * _MEBIBYTE


def type_of(kind: str, data: bytes) -> str:
    """The media type of what was sent as one of Kind. Raises RefusedMediaError."""
    if kind == "document":
        return _document(data)
    found = _type(kind, data)
    if found is None:
        raise RefusedMediaError("kind_differs")
    _refuse_foreign(data)
    try:
        if found in _SIZES:
            width, height = _SIZES[found](data)
            if not 0 < width * height <= MAXIMUM_PIXELS:
                raise RefusedMediaError("too_many_pixels")
        end = _ENDS[found](data)
    except containers.NotOneFormat:
        raise RefusedMediaError("polyglot") from None
    except (struct.error, IndexError, ValueError):
        raise RefusedMediaError("unreadable") from None
    if end < len(data):
        raise RefusedMediaError("polyglot")
    if end > len(data) and found not in _CUT_SHORT:
        raise RefusedMediaError("unreadable")
    return found


def _type(kind: str, data: bytes) -> str | None:
    if kind in ("image", "sticker"):
        return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else _begins(data, _PICTURES)
    if kind in ("audio", "video") and data[4:8] == b"ftyp":
        return f"{kind}/mp4"
    return _begins(data, _SOUNDS) if kind == "audio" else None


def _refuse_foreign(data: bytes) -> None:
    lowered = data.lower()
    if any(sign in lowered for sign in _FOREIGN) or containers.has_archive_end(data):
        raise RefusedMediaError("polyglot")


def _document(data: bytes) -> str:
    if data.startswith(b"%PDF-"):
        try:
            end = containers.end_of_pdf(data)
        except IndexError:
            raise RefusedMediaError("unreadable") from None
        if end != len(data) or containers.has_archive_end(data):
            raise RefusedMediaError("polyglot")
        return "application/pdf"
    if data.startswith(b"PK\x03\x04"):
        return _office(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise RefusedMediaError("kind_differs") from None
    if not text.replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable():
        raise RefusedMediaError("kind_differs")
    _refuse_foreign(data)
    return "text/plain"


def _office(data: bytes) -> str:
    try:
        names = [entry.name.lower() for entry in containers.archive_entries(data)]
    except containers.NotOneFormat:
        raise RefusedMediaError("polyglot") from None
    if "[content_types].xml" not in names:
        raise RefusedMediaError("kind_differs")
    if any(containers.is_macro(name) for name in names):
        raise RefusedMediaError("macros")
    if any(name.startswith("meta-inf/") or name.endswith((".html", ".htm", ".class", ".dex", ".js")) for name in names):
        raise RefusedMediaError("polyglot")
    return "application/vnd.openxmlformats-officedocument"


def _begins(data: bytes, signatures: dict[bytes, str]) -> str | None:
    return next((name for sign, name in signatures.items() if data.startswith(sign)), None)


def _size_of_png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _size_of_gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _size_of_webp(data: bytes) -> tuple[int, int]:
    """Of the three forms of its first chunk: lossy, lossless, extended (RFC 9649)."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        [bits] = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise ValueError("not a chunk of a picture")


def _size_of_jpeg(data: bytes) -> tuple[int, int]:
    place = 2
    while True:
        if data[place] != 0xFF:
            raise ValueError("not a marker")
        marker = data[place + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        if marker == 0xFF:
            place += 1
            continue
        [length] = struct.unpack(">H", data[place + 2 : place + 4])
        place += 2 + length


_SIZES = {
    "image/png": _size_of_png,
    "image/gif": _size_of_gif,
    "image/webp": _size_of_webp,
    "image/jpeg": _size_of_jpeg,
}
_ENDS: dict[str, Callable[[bytes], int]] = {
    "image/png": containers.end_of_png,
    "image/gif": containers.end_of_gif,
    "image/webp": containers.end_of_webp,
    "image/jpeg": containers.end_of_jpeg,
    "audio/ogg": containers.end_of_ogg,
    "audio/mpeg": containers.end_of_mp3,
    "audio/aac": containers.end_of_adts,
    "audio/amr": containers.end_of_amr,
    "audio/mp4": containers.end_of_mp4,
    "video/mp4": containers.end_of_mp4,
}
