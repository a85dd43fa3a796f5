"""Where a file of each format ends, and whether anything is in it that belongs to no format, or to a second one.

A file that is taken is one format from its first byte to its last. Each `end_of_` returns the index behind the last
byte of the format: less than the length of the file if more follows. It raises NotOneFormat if the bytes do not follow
the format, and struct.error or IndexError if the file ends early. Sources: the formats' own specifications.
"""

import struct
from typing import NamedTuple

_ARCHIVE_END = b"PK\x05\x06"
# Bytes. An unpacker looks for the end of an archive in so many at the end of a file (APPNOTE 4.3.16).
_LONGEST_ARCHIVE_END = 65_557
# Bytes. White space behind a PDF, as some printers pad it.
_MAX_PADDING = 1024
# Parts of one file. A longer row of them is not made by an encoder.
_MAX_PARTS = 200_000


class NotOneFormat(Exception):
    """Bytes that do not follow their format to its end."""


class Entry(NamedTuple):
    """An entry of a zip archive, as its local header and its directory have it. Sizes in bytes."""

    name: str
    flags: int
    compressed_size: int
    size: int


def has_archive_end(data: bytes) -> bool:
    """Decide whether an unpacker takes the file for a zip archive."""
    tail = data[-_LONGEST_ARCHIVE_END:]
    index = tail.find(_ARCHIVE_END)
    while index >= 0:
        record = tail[index + 4 : index + 22]
        if len(record) < 18 or record[:2] == record[2:4]:
            return True
        index = tail.find(_ARCHIVE_END, index + 1)
    return False


def archive_entries(data: bytes) -> list[Entry]:
    """Return the entries of a zip archive that fills the file without a gap (APPNOTE 4.3).

    Raises NotOneFormat if a byte belongs to no entry, a local header differs from the directory, a name comes twice or
    leaves the archive, and for what an Office document does not need: a comment, parts on other disks, 64 bits.
    """
    try:
        return _archive_entries(data)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise NotOneFormat from None


def is_macro(name: str) -> bool:
    """Decide from its name, in small letters, whether a part of an Office document runs something."""
    return name.endswith(("vbaproject.bin", "vbadata.xml")) or "activex" in name


def _archive_entries(data: bytes) -> list[Entry]:
    end = len(data) - 22
    if end < 0 or data[end : end + 4] != _ARCHIVE_END:
        raise NotOneFormat
    disk, first_disk, here, total, length, start, comment = struct.unpack("<HHHHIIH", data[end + 4 :])
    if disk or first_disk or here != total or comment or start + length != end or total == 0xFFFF:
        raise NotOneFormat
    entries, spans, place = [], [], start
    for _ in range(total):
        entry, span, place = _directory_entry(data, place)
        entries.append(entry)
        spans.append(span)
    spans.sort()
    if place != end or [first for first, _ in spans] + [start] != [0] + [last for _, last in spans]:
        raise NotOneFormat
    if len({entry.name.lower() for entry in entries}) != len(entries):
        raise NotOneFormat
    return entries


def _directory_entry(data: bytes, place: int) -> tuple[Entry, tuple[int, int], int]:
    """Return the entry, where its bytes are in the file, and where the next one of the directory starts."""
    if data[place : place + 4] != b"PK\x01\x02":
        raise NotOneFormat
    flags, method, _, crc, packed, size, name_length, extra, comment = struct.unpack(
        "<HHIIIIHHH", data[place + 8 : place + 34]
    )
    [local] = struct.unpack("<I", data[place + 42 : place + 46])
    raw_name = data[place + 46 : place + 46 + name_length]
    name = raw_name.decode()
    folders = name.split("/")
    if not name or name.startswith("/") or ".." in folders or "\\" in name or ":" in name or not name.isprintable():
        raise NotOneFormat
    header = data[local : local + 30]
    if header[:4] != b"PK\x03\x04":
        raise NotOneFormat
    local_flags, local_method, _, local_crc, local_packed, local_size, local_name, local_extra = struct.unpack(
        "<HHIIIIHH", header[6:]
    )
    body = local + 30 + local_name + local_extra
    if (local_flags, local_method, data[local + 30 : local + 30 + local_name]) != (flags, method, raw_name):
        raise NotOneFormat
    last = body + packed
    if flags & 8:  # The sizes follow the body, with or without a signature.
        sizes = struct.pack("<III", crc, packed, size)
        with_signature = b"PK\x07\x08" + sizes
        if data[last : last + 16] == with_signature:
            last += 16
        elif data[last : last + 12] == sizes:
            last += 12
        else:
            raise NotOneFormat
    elif (local_crc, local_packed, local_size) != (crc, packed, size):
        raise NotOneFormat
    return Entry(name, flags, packed, size), (local, last), place + 46 + name_length + extra + comment


def end_of_pdf(data: bytes) -> int:
    """Return the end of the last end-of-file mark, and of the white space behind it (ISO 32000-1, 7.5.5)."""
    mark = data.rfind(b"%%EOF")
    if mark < 0:
        raise IndexError
    end = mark + len(b"%%EOF")
    padding = data[end : end + _MAX_PADDING]
    return end + len(padding) - len(padding.lstrip(b"\0\t\n\f\r "))


def end_of_png(data: bytes) -> int:
    """Return the end of IEND (ISO 15948, 11.2.5)."""
    place: int = 8
    for _ in range(_MAX_PARTS):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        place += 12 + int(length)
        if name == b"IEND":
            return place
    raise NotOneFormat


def end_of_jpeg(data: bytes) -> int:
    """Return the end of the last picture and of the zeros behind it.

    A telephone appends further pictures: a preview, or how bright the first one is (CIPA DC-007).
    """
    place = 0
    while data[place : place + 3] == b"\xff\xd8\xff":
        place = _end_of_picture(data, place)
        place += len(data) - place - len(data[place:].lstrip(b"\0"))
    return place


def _end_of_picture(data: bytes, place: int) -> int:
    """Return the end of EOI: segments, and behind each start of scan the entropy-coded bytes (ITU T.81, B.1)."""
    place += 2
    for _ in range(_MAX_PARTS):
        if data[place] != 0xFF:
            raise NotOneFormat
        while data[place + 1] == 0xFF:
            place += 1
        marker = data[place + 1]
        if marker == 0xD9:
            return place + 2
        if marker in (0x00, 0x01, *range(0xD0, 0xD9)):
            raise NotOneFormat
        [length] = struct.unpack(">H", data[place + 2 : place + 4])
        place += 2 + length
        if marker == 0xDA:
            place = _end_of_scan(data, place)
    raise NotOneFormat


def _end_of_scan(data: bytes, place: int) -> int:
    while True:
        place = data.find(b"\xff", place)
        if place < 0:
            raise IndexError
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


def end_of_gif(data: bytes) -> int:
    """Return the end of the trailer (GIF89a, 27)."""
    flags = data[10]
    place = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    for _ in range(_MAX_PARTS):
        kind = data[place]
        if kind == 0x3B:
            return place + 1
        if kind == 0x2C:
            flags = data[place + 9]
            place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif kind == 0x21:
            place += 2
        else:
            raise NotOneFormat
        while data[place]:
            place += 1 + data[place]
        place += 1
    raise NotOneFormat


def end_of_webp(data: bytes) -> int:
    """Return the end of the last chunk, which is the end that the file names (RFC 9649, 2.4)."""
    [size] = struct.unpack("<I", data[4:8])
    place = 12
    for _ in range(_MAX_PARTS):
        if place == 8 + size:
            return place
        [length] = struct.unpack("<I", data[place + 4 : place + 8])
        place += 8 + length + length % 2
    raise NotOneFormat


def end_of_mp4(data: bytes) -> int:
    """Return the end of the last box; a box of size 0 goes to the end of the file (ISO 14496-12, 4.2)."""
    place = 0
    for _ in range(_MAX_PARTS):
        if place >= len(data):
            return place
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        header = 8
        if size == 1:
            header = 16
            [size] = struct.unpack(">Q", data[place + 8 : place + 16])
        if size == 0:
            size = len(data) - place
        is_name = kind.isascii() and kind.decode().isprintable()
        if size < header or not is_name or (kind == b"ftyp") != (place == 0):
            raise NotOneFormat
        place += size
    raise NotOneFormat


def end_of_ogg(data: bytes) -> int:
    """Return the end of the last page; a file may chain streams (RFC 3533, 4 and 6)."""
    place = 0
    while place < len(data):
        if data[place : place + 5] != b"OggS\0":
            raise NotOneFormat
        segments = data[place + 26]
        table = data[place + 27 : place + 27 + segments]
        if len(table) != segments:
            raise NotOneFormat
        place += 27 + segments + sum(table)
    return place


def end_of_amr(data: bytes) -> int:
    """Return the end of the last frame (RFC 4867, 5.3: narrow band, octets of each mode)."""
    sizes = (12, 13, 15, 17, 19, 20, 26, 31, 5, *(0,) * 7)
    place = start = len(b"#!AMR\n")
    while place < len(data):
        if data[place] & 0x87 != 0x04:
            raise NotOneFormat
        length = 1 + sizes[data[place] >> 3 & 15]
        place = start + _next_frame(place - start, length, len(data) - start)
    return place


def end_of_adts(data: bytes) -> int:
    """Return the end of the last frame of AAC (ISO 13818-7, 6.2). All frames have the fixed header of the first."""
    place, fixed = 0, int.from_bytes(data[:7], "big") >> 28
    layer, frequency = fixed >> 13 & 3, fixed >> 6 & 15
    if layer or frequency > 12:
        raise NotOneFormat
    while place < len(data):
        header = int.from_bytes(data[place : place + 7], "big")
        length = header >> 13 & 0x1FFF
        if header >> 44 != 0xFFF or length < 7 or (header >> 28 != fixed and place + 7 <= len(data)):
            raise NotOneFormat
        place = _next_frame(place, length, len(data))
    return place


def _next_frame(place: int, length: int, size: int) -> int:
    """Return the end of a frame. A recorder may cut the last one short, but a first one alone proves no format."""
    if place == 0 and length > size:
        raise NotOneFormat
    return place + length


def end_of_mp3(data: bytes) -> int:
    """Return the end of the last frame, with an ID3 tag before the frames and one behind (ISO 11172-3, 2.4.1.3)."""
    place = 0
    while data[place : place + 3] == b"ID3":
        size = 0
        for seven_bits in data[place + 6 : place + 10]:
            if seven_bits & 0x80:
                raise NotOneFormat
            size = size << 7 | seven_bits
        place += 10 + size + (10 if data[place + 5] & 0x10 else 0)
    place += len(data[place:]) - len(data[place:].lstrip(b"\0"))
    first = place
    while place < len(data) and data[place : place + 3] != b"TAG":
        length = _mp3_frame(int.from_bytes(data[place : place + 4], "big"))
        place = first + _next_frame(place - first, length, len(data) - first)
    return place + 128 if data[place : place + 3] == b"TAG" else place


# Kilobits per second: of version 1 and of version 2, layer III.
_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_FREQUENCIES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _mp3_frame(header: int) -> int:
    """Return the length of a frame of layer III."""
    version, layer, rate, frequency = header >> 19 & 3, header >> 17 & 3, header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or layer != 1 or version == 1 or not 0 < rate < 15 or frequency == 3:
        raise NotOneFormat
    kilobits, hertz = _RATES[version != 3][rate], _FREQUENCIES[version][frequency]
    return (144 if version == 3 else 72) * kilobits * 1000 // hertz + (header >> 9 & 1)
