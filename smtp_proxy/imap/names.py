"""Names of mailboxes on the wire: modified UTF-7 (RFC 3501 §5.1.3).

pymap's own reader looks for the end of a shift that nobody ends for ever (`SELECT &x`), and its
writer takes an ampersand behind a shift for itself.
"""

from __future__ import annotations

import binascii
import re

_SHIFT = re.compile(rb"&([A-Za-z0-9+,]*+)-")
_BEYOND_ASCII = re.compile("[^ -~]+")


def encoded_name(name: str) -> bytes:
    """A name as it is sent. Raises ValueError for lone surrogates."""
    return _BEYOND_ASCII.sub(_shifted, name.replace("&", "&-")).encode("ascii")


def decoded_name(octets: bytes) -> str:
    """A name as it came; octets beyond ASCII, which must not be in it, are Latin-1. Raises
    ValueError for a shift that is not ended or says nothing."""
    out: list[str] = []
    end = 0
    for shift in _SHIFT.finditer(octets):
        out += [_unshifted(octets[end : shift.start()]), _said(shift[1])]
        end = shift.end()
    out.append(_unshifted(octets[end:]))
    return "".join(out)


def _shifted(run: re.Match[str]) -> str:
    octets = binascii.b2a_base64(run[0].encode("utf-16-be"), newline=False)
    return "&" + octets.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def _unshifted(octets: bytes) -> str:
    if b"&" in octets:
        raise ValueError("a shift that is not ended")
    return octets.decode("latin-1")


def _said(base64: bytes) -> str:
    if not base64:
        return "&"
    padded = base64.replace(b",", b"/") + b"=" * (-len(base64) % 4)
    return binascii.a2b_base64(padded).decode("utf-16-be")
