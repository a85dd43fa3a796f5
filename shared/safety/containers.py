"""Where a file of each format ends: a file that is taken is one format from its first byte to its last."""

import struct

_ARCHIVE_END = b"PK\x05\x06"
# Bytes. An unpacker looks for the end of an archive in so many at the end of a file (APPNOTE 4.3.16).
_LONGEST_ARCHIVE_END = 65_557


def has_archive_end(data: bytes) -> bool:
    """Decide whether an unpacker takes the file for a zip archive."""
    tail = data[-_LONGEST_ARCHIVE_END:]
    place = tail.find(_ARCHIVE_END)
    while place >= 0:
        record = tail[place + 4 : place + 22]
        if len(record) == 18:
            disk, first_disk, here, total, *_ = struct.unpack("<HHHHIIH", record)
            if disk == first_disk and here == total:
                return True
        place = tail.find(_ARCHIVE_END, place + 1)
    return False
