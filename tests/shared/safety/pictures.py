"""Small pictures and other things that customers send, made by hand; `wide` and `high` in pixels."""

import struct
import zlib

SOUND = b"OggS\x00\x02" + bytes(40)
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(40)
NOTE = "Hola, adjunto la lista.\n".encode("ascii")
OFFICE = b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + bytes(40)


def png(wide: int = 2, high: int = 2) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))
        + _chunk(b"IEND", b"")
    )


def jpeg(wide: int = 2, high: int = 2) -> bytes:
    comment = b"\xff\xfe\x00\x06text"
    table = b"\xff\xc4\x00\x05\x01\x02\x03"
    return (
        b"\xff\xd8"
        + comment
        + table
        + b"\xff\xff\xc0\x00\x11\x08"
        + struct.pack(">HH", high, wide)
        + bytes(12)
        + b"\xff\xd9"
    )


def gif(wide: int = 2, high: int = 2) -> bytes:
    return b"GIF89a" + struct.pack("<HH", wide, high) + bytes(10)


def webp(wide: int = 2, high: int = 2, form: bytes = b"VP8X") -> bytes:
    body = {
        b"VP8 ": bytes(6) + struct.pack("<HH", wide, high),
        b"VP8L": b"\x2f" + struct.pack("<I", (high - 1) << 14 | (wide - 1)),
        b"VP8X": bytes(4) + (wide - 1).to_bytes(3, "little") + (high - 1).to_bytes(3, "little"),
    }[form]
    chunk = form + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
