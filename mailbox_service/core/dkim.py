"""Signing with DKIM (RFC 6376, RFC 8301, RFC 8463): relaxed/relaxed, RSA and Ed25519.

The body is hashed and the header canonicalised once, however many keys sign. `l=` is never
used: it would let anybody append to a signed message (RFC 6376 §8.2). The fields that a reader
is shown are oversigned, that is, named once more than they occur, so a second one that is added
on the way breaks the signature instead of being believed (RFC 6376 §8.15).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from msgspec import Struct

from mailbox_service.core.address import canonical_domain
from mailbox_service.core.canonical_form import relaxed_body, relaxed_field
from mailbox_service.core.errors import BadContent, BadRequest
from mailbox_service.core.header_section import Field, read_fields

# What readers see, or what tells them how to read the rest: signed also when absent.
OVERSIGNED = (
    *(b"from", b"to", b"cc", b"reply-to", b"subject", b"date", b"message-id"),
    *(b"mime-version", b"content-type", b"content-transfer-encoding"),
)
# Signed where present (RFC 6376 §5.4.1, RFC 8058 §4), and a relay may add them where not.
SIGNED = (
    *(b"sender", b"in-reply-to", b"references", b"content-id", b"content-description"),
    *(b"list-id", b"list-help", b"list-owner", b"list-post", b"list-archive"),
    *(b"list-subscribe", b"list-unsubscribe", b"list-unsubscribe-post", b"auto-submitted"),
    *(b"resent-from", b"resent-sender", b"resent-to", b"resent-cc", b"resent-date"),
    b"resent-message-id",
)
_INDEX = {name: [name] for name in (*OVERSIGNED, *SIGNED)}

# RFC 8301 §3.2: at least 1024 bits; verifiers need not go beyond 4096.
MIN_RSA_BITS = 1_024
MAX_RSA_BITS = 4_096
NEW_RSA_BITS = 2_048
# RFC 8301 §3.2 and common practice; every verifier reads it.
_RSA_EXPONENT = 65_537

_is_selector = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
).fullmatch

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Signer:
    """A domain, a selector and the private key whose public half DNS shows under both.

    The key is PEM, unencrypted (PKCS#8, or PKCS#1 for RSA). Raises BadRequest for a key or a
    selector that cannot sign, and BadAddress for the domain.
    """

    __slots__ = ("_key", "_start", "domain", "selector")

    def __init__(self, domain: str, selector: str, private_key: str | bytes) -> None:
        if len(selector) > 63 or not _is_selector(selector):
            raise BadRequest("The DKIM selector is not a name")
        self.domain = canonical_domain(domain)
        self.selector = selector.lower()
        self._key = _load(private_key)
        algorithm = "rsa" if isinstance(self._key, rsa.RSAPrivateKey) else "ed25519"
        self._start = (
            f"DKIM-Signature: v=1; a={algorithm}-sha256; c=relaxed/relaxed;\r\n"
            f"\td={self.domain};\r\n\ts={self.selector}; t="
        ).encode()

    def __repr__(self) -> str:
        return f"Signer({self.domain!r}, {self.selector!r})"

    @property
    def dns_name(self) -> str:
        """Where the TXT record of `dns_record` belongs (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def slow(self) -> bool:
        """Whether a signature takes longer than the event loop should stop."""
        return isinstance(self._key, rsa.RSAPrivateKey)

    def unsigned(self, names: bytes, header: bytes, body_hash: bytes, now_seconds: int) -> Unsigned:
        """One DKIM-Signature field over an already canonical header and a body's hash."""
        field = b"%s%d;\r\n\th=%s;\r\n\tbh=%s;\r\n\tb=" % (
            self._start,
            now_seconds,
            names,
            body_hash,
        )
        # RFC 6376 §3.7: the field itself comes last, with an empty b= and without its CRLF.
        return Unsigned(self, field, header + relaxed_field(b"dkim-signature", field)[:-2])

    def signature(self, data: bytes) -> bytes:
        """The signature over octets; other threads may work meanwhile."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(sha256(data).digest())  # RFC 8463 §3


class Unsigned(Struct, frozen=True, gc=False):
    """A DKIM-Signature field that lacks its signature, and the octets that are to be signed."""

    signer: Signer
    field: bytes
    data: bytes

    def signed(self, signature: bytes) -> bytes:
        """The whole field."""
        encoded = b64encode(signature)
        lines = [encoded[start : start + 72] for start in range(0, len(encoded), 72)]
        return self.field + b"\r\n\t ".join(lines) + b"\r\n"


def sign(content: bytes, signers: Iterable[Signer], now_seconds: int) -> bytes:
    """The message with one DKIM-Signature field per signer before everything else."""
    return signature_fields(content, signers, now_seconds) + content


def signature_fields(content: bytes, signers: Iterable[Signer], now_seconds: int) -> bytes:
    """The DKIM-Signature fields that belong in front of the content, one per signer.

    `now_seconds` is the Unix time for `t=`. Raises BadContent as `unsigned_fields` does.
    """
    fields = unsigned_fields(content, signers, now_seconds)
    return b"".join([one.signed(one.signer.signature(one.data)) for one in fields])


def unsigned_fields(content: bytes, signers: Iterable[Signer], now_seconds: int) -> list[Unsigned]:
    """The fields of all signers, each to be signed.

    Raises BadContent when the header section cannot be read in one way only, or has not exactly
    one From (RFC 6376 §5.4, §8.15): whom would the signature speak for?
    """
    fields, end = read_fields(content)
    names, header = _canonical_header(fields)
    body_hash = b64encode(sha256(relaxed_body(content[end + 2 :])).digest())
    return [one.unsigned(names, header, body_hash, now_seconds) for one in signers]


def generate_key(algorithm: Literal["rsa", "ed25519"]) -> str:
    """A new private key as PEM (PKCS#8), RSA of 2048 bits or Ed25519."""
    key: PrivateKey
    if algorithm == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = rsa.generate_private_key(_RSA_EXPONENT, NEW_RSA_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def dns_record(private_key: str | bytes) -> str:
    """The text of the TXT record with the public key (RFC 6376 §3.6.1, RFC 8463 §4).

    It may be longer than 255 octets; a zone file then holds it as several strings in a row.
    """
    key = _load(private_key)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return f"v=DKIM1; k=ed25519; p={b64encode(key.public_key().public_bytes_raw()).decode()}"
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={b64encode(public).decode()}"


def _load(private_key: str | bytes) -> PrivateKey:
    pem = private_key.encode() if isinstance(private_key, str) else private_key
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadRequest("The DKIM key is not an unencrypted private key in PEM") from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return key
    raise BadRequest(f"A DKIM key is Ed25519, or RSA of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")


def _canonical_header(fields: Sequence[Field]) -> tuple[bytes, bytes]:
    """The value of `h=`, and the fields it names in relaxed form (RFC 6376 §3.4.2, §5.4.2)."""
    found: dict[bytes, list[bytes]] = {}
    for name, raw in fields:
        if name in _INDEX:
            found.setdefault(name, []).append(raw)
    if len(found.get(b"from", ())) != 1:
        raise BadContent("A message to be signed has exactly one From field")
    chosen: list[bytes] = []
    canonical: list[bytes] = []
    for name in OVERSIGNED:
        # §5.4.2: of several fields of one name the last is signed first.
        raws = found.pop(name, ())
        for raw in reversed(raws):
            canonical.append(relaxed_field(name, raw))
            chosen.append(name)
        chosen.append(name)
    for name in SIGNED if found else ():
        for raw in reversed(found.get(name, ())):
            canonical.append(relaxed_field(name, raw))
            chosen.append(name)
    return _folded_names(tuple(chosen)), b"".join(canonical)


# Most mail names the same few fields. The key is bounded by the reader's limit on a section.
@lru_cache(maxsize=64)
def _folded_names(names: tuple[bytes, ...]) -> bytes:
    lines: list[bytes] = []
    line = b""
    for name in names:
        if len(line) + len(name) > 70:
            lines.append(line)
            line = b""
        line += name + b":"
    return b"\r\n\t ".join([*lines, line])[:-1]
