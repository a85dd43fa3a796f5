"""Small pictures and other things that customers send, made by hand; `wide` and `high` in pixels."""

import struct
import zipfile
import zlib
from io import BytesIO


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def ogg_page(content: bytes, flags: int = 2) -> bytes:
    return b"OggS\x00" + bytes([flags]) + bytes(20) + bytes([1, len(content)]) + content


SOUND = ogg_page(b"OpusHead" + bytes(11)) + ogg_page(bytes(40), 4)
# The last box goes to the end of the file, however long that is.
FILM = box(b"ftyp", b"mp42" + bytes(12)) + bytes(4) + b"mdat" + bytes(20)
MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
AAC_FRAME = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)
AMR_FRAME = b"\x3c" + bytes(31)
NOTE = "Hola, adjunto la lista.\n".encode("ascii")


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
        + bytes(10)
        + b"\xff\xda\x00\x08"
        + bytes(6)
        + b"\x12\xff\x00\x34\xff\xd0\x56"
        + b"\xff\xd9"
    )


def gif(wide: int = 2, high: int = 2) -> bytes:
    return b"GIF89a" + struct.pack("<HH", wide, high) + b"\x00\x00\x00" + b"," + bytes(9) + b"\x02\x01\x44\x00;"


def webp(wide: int = 2, high: int = 2, form: bytes = b"VP8X") -> bytes:
    body = {
        b"VP8 ": bytes(6) + struct.pack("<HH", wide, high),
        b"VP8L": b"\x2f" + struct.pack("<I", (high - 1) << 14 | (wide - 1)),
        b"VP8X": bytes(4) + (wide - 1).to_bytes(3, "little") + (high - 1).to_bytes(3, "little"),
    }[form]
    chunk = form + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def archive(**parts: bytes) -> bytes:
    """An archive of an Office document with more parts; `__` in a name is a slash and `_` a full stop."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as opened:
        opened.writestr("[Content_Types].xml", "<Types/>")
        for name, body in parts.items():
            opened.writestr(name.replace("__", "/").replace("_", "."), body)
    return written.getvalue()


OFFICE = archive()
