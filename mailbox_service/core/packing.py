"""Stored contents made smaller, and back, octet for octet.

The form is gzip (RFC 1952), so that a stored content can be read with any tool, and so that the
compressed mails of an existing deployment (`raw_blob`, mailbox-api §8.1) are read by the same
function.
"""

from __future__ import annotations

import zlib

# Level 1: mail is mostly base64 and HTML; higher levels cost three times as much for a tenth.
LEVEL = 1
# zlib's words for "gzip header and trailer, largest window".
_GZIP_WINDOW = 31
# Below this the header and trailer of gzip eat what is saved.
WORTHWHILE = 256  # octets


class BadPacking(Exception):
    """These octets are no gzip, are cut off, or unpack to more than is allowed."""


def pack(content: bytes) -> bytes | None:
    """The gzip form of a content; None where that is not smaller."""
    if len(content) < WORTHWHILE:
        return None
    # A gzip header without time and name: the same content always has the same form.
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    packed = packer.compress(content) + packer.flush()
    return packed if len(packed) < len(content) else None


def unpack(packed: bytes, *, most: int) -> bytes:
    """The content of a gzip form. Raises BadPacking, also above `most` octets: some kilobytes
    can hold gigabytes (hazard 31)."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = unpacker.decompress(packed, most + 1)
    except zlib.error as error:
        raise BadPacking(str(error)) from None
    if len(content) > most:
        raise BadPacking(f"unpacks to more than {most} octets")
    if not unpacker.eof:
        raise BadPacking("cut off")
    return content
