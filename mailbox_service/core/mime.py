"""Writing MIME parts: transfer encodings and boundaries (RFC 2045, RFC 2046).

A part is its own header fields, an empty line and a body whose last line is ended.
"""

from __future__ import annotations

import binascii
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO

from mailbox_service.core.errors import BadRequest

# RFC 5322 §2.1.1, without the line end.
MAX_LINE = 998

# Octets of a file that are written at once; whole lines of 57.
PIECE = 57 << 10

_ASCII = bytes(range(128))


def text_part(text: str, subtype: str) -> bytes:
    """A text part in UTF-8 with CRLF line ends. Raises BadRequest for lone surrogates."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"The {subtype} text is not valid Unicode") from error
    # Octets, of which Python replaces one by two several times as fast as characters.
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    data = data.replace(b"\n", b"\r\n")
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    return encoded_part(f"text/{subtype}; charset=utf-8", data, ends_checked=True)


def encoded_part(content_type: str, data: bytes, *, ends_checked: bool = False) -> bytes:
    """A part of lines that end with CRLF, in the plainest transfer encoding that fits.
    `ends_checked`: no CR and no LF in it stands alone, so nobody has to count them."""
    if fits_seven_bit(data, ends_checked=ends_checked):
        encoding, body = "7bit", data
    # Quoted-printable keeps text readable where most of it is ASCII; for other scripts base64
    # is shorter (RFC 2045 §6.7, §6.8).
    elif len(data.translate(None, _ASCII)) * 6 < len(data):
        encoding, body = "quoted-printable", binascii.b2a_qp(data, istext=True)
    else:
        encoding, body = "base64", base64_lines(data)
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


def multipart(subtype: str, parts: Sequence[bytes], seed: str, parameters: str = "") -> bytes:
    """Parts between boundaries (RFC 2046 §5.1.1), which occur in none of them.

    `seed` makes the boundaries of one message differ from those of others; `parameters` go
    between the type and the boundary.
    """
    return b"".join(multipart_pieces(subtype, parts, seed, parameters))


def multipart_pieces(
    subtype: str, parts: Sequence[bytes], seed: str, parameters: str = ""
) -> list[bytes]:
    """`multipart` before its pieces are put together, which for large parts is another copy."""
    number = 0
    while True:
        token = sha256(f"{seed} {subtype} {number}".encode()).hexdigest()[:32]
        # `=_` occurs in no base64 and in no quoted-printable text (RFC 2045 §6.7).
        boundary = f"=_{token}"
        if not any(boundary.encode() in part for part in parts):
            break
        number += 1
    head = f'Content-Type: multipart/{subtype};{parameters}\r\n boundary="{boundary}"\r\n\r\n'
    delimiter = b"--" + boundary.encode()
    pieces = [head.encode()]
    for part in parts:
        pieces += [delimiter, b"\r\n", part, b"\r\n"]
    pieces += [delimiter, b"--\r\n"]
    return pieces


def fits_seven_bit(data: bytes, *, ends_checked: bool = False) -> bool:
    """RFC 2045 §2.7: ASCII without NUL, lines of at most 998 octets that end with CRLF."""
    if not data.isascii() or b"\0" in data:
        return False
    if not ends_checked:
        ends = data.count(b"\r\n")
        if data.count(b"\n") != ends or data.count(b"\r") != ends:
            return False
    return lines_fit(data)


def lines_fit(data: bytes, most: int = MAX_LINE) -> bool:
    """Whether no line is longer than so many octets, its CRLF not counted."""
    start = 0
    while len(data) - start > most:
        # The last line end within reach: all lines before it are short enough.
        end = data.rfind(b"\r\n", start, start + most + 2)
        if end < 0:
            return False
        start = end + 2
    return True


def base64_lines(data: bytes, start: bytes = b"") -> bytes:
    """Base64 in lines of 76 characters (RFC 2045 §6.8), behind what the part starts with."""
    if len(data) <= PIECE:
        return start + _base64_lines(data)
    # Lines are objects of twice their size: never those of a large file at once.
    whole = BytesIO()
    whole.write(start)
    for place in range(0, len(data), PIECE):
        whole.write(_base64_lines(data[place : place + PIECE]))
    return whole.getvalue()


def _base64_lines(data: bytes) -> bytes:
    encoded = b64encode(data)
    lines = [encoded[start : start + 76] for start in range(0, len(encoded), 76)]
    return b"\r\n".join([*lines, b""])
