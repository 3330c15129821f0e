"""What DKIM and ARC have in common: tags, keys, and one signature over fields and a body
(RFC 6376 §3, RFC 8301, RFC 8463).

Everything here is linear in the size of the message and bounded in the number of signatures,
since whoever sends a mail chooses both. Keys come in as texts of the name system.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailbox_service.core.canonical_form import relaxed_body, relaxed_field, simple_body
from mailbox_service.core.header_section import Field, read_fields

# A signature field of RSA with 4,096 bits and a hundred names takes 3 KB.
LONGEST_FIELD = 16_384
LONGEST_KEY = 4_096
# RFC 8301 §3.2: shorter keys prove nothing, and verifiers need not go beyond the longer.
RSA_BITS = range(1_024, 4_097)
# A huge exponent would make one check cost a second; everybody uses 65,537.
LARGEST_EXPONENT = 1 << 32

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey
# The texts of each name of a key; None where nobody could tell now.
KeyTexts = Mapping[str, Sequence[bytes] | None]

_is_tag_name = re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch
_is_domain = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})+"
).fullmatch
_is_selector = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*").fullmatch
_is_number = re.compile(r"[0-9]{1,76}").fullmatch
_without_spaces = str.maketrans("", "", " \t\r\n")


class Unproved(Exception):
    """A signature that proves nothing: `result` is the word for it (RFC 8601 §2.7.1)."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


def permanent(reason: str) -> Unproved:
    """A signature that nobody can check, now or ever."""
    return Unproved("permerror", reason)


@dataclass(slots=True)
class SignedMessage:
    """A message as verifiers read it. Hashes of the body are made once for all signatures."""

    fields: Sequence[Field]
    body: bytes
    _by_name: dict[bytes, list[bytes]] = field(default_factory=dict, repr=False)
    _bodies: dict[bytes, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name, raw in self.fields:
            self._by_name.setdefault(name, []).append(raw)

    @classmethod
    def read(cls, content: bytes) -> SignedMessage:
        """Raises BadContent when the header section cannot be read in one way only."""
        fields, end = read_fields(content)
        return cls(fields, content[end + 2 :])

    def all(self, name: bytes) -> Sequence[bytes]:
        """The fields of a (lower-case) name, from the top."""
        return self._by_name.get(name, ())

    def chosen(self, names: Iterable[bytes], *, relaxed: bool) -> bytes:
        """The fields that a signature names, in its order: of several the last first, and of
        none nothing (RFC 6376 §5.4.2)."""
        left = {name: len(raws) for name, raws in self._by_name.items()}
        found: list[bytes] = []
        for name in names:
            if left.get(name, 0):
                left[name] -= 1
                raw = self._by_name[name][left[name]]
                found.append(relaxed_field(name, raw) if relaxed else raw)
        return b"".join(found)

    def canonical_body(self, form: bytes) -> bytes:
        """The body in the form `relaxed` or `simple`."""
        if form not in self._bodies:
            make = relaxed_body if form == b"relaxed" else simple_body
            self._bodies[form] = make(self.body)
        return self._bodies[form]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature field, read and not yet checked."""

    name: bytes
    raw: bytes
    tags: Mapping[str, str]

    @classmethod
    def read(cls, name: bytes, raw: bytes, required: Iterable[str]) -> Signature:
        """Raises Unproved."""
        if len(raw) > LONGEST_FIELD:
            raise permanent("the signature is too long")
        signature = cls(name, raw, read_tags(raw.partition(b":")[2]))
        missing = [tag for tag in required if not signature.tags.get(tag)]
        if missing:
            raise permanent(f"the signature has no {missing[0]}=")
        if not _is_domain(signature.domain) or not _is_selector(signature.selector):
            raise permanent("the signature names no key")
        if signature.algorithm not in ("rsa-sha256", "ed25519-sha256"):
            raise permanent("the algorithm is not known or no longer trusted")  # RFC 8301 §3.1
        return signature

    @property
    def domain(self) -> str:
        return self.tags.get("d", "").lower()

    @property
    def selector(self) -> str:
        return self.tags.get("s", "").lower()

    @property
    def algorithm(self) -> str:
        return self.tags.get("a", "").lower()

    @property
    def key_name(self) -> str:
        """Where the key is (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def names(self) -> list[bytes]:
        """The names of the signed fields."""
        return [name.strip().lower().encode() for name in self.tags.get("h", "").split(":")]

    @property
    def forms(self) -> tuple[bytes, bytes]:
        """The forms of header and body; simple where nothing else is said."""
        header, _, body = self.tags.get("c", "simple").lower().partition("/")
        body = body or "simple"
        if {header, body} - {"simple", "relaxed"}:
            raise permanent("the canonical form is not known")
        return header.encode(), body.encode()

    def number(self, tag: str) -> int | None:
        """A tag that is a number. Raises Unproved."""
        text = self.tags.get(tag)
        if text is None:
            return None
        if not _is_number(text):
            raise permanent(f"{tag}= is not a number")
        return int(text)

    def octets(self, tag: str) -> bytes:
        """A tag in base64. Raises Unproved."""
        try:
            return b64decode(self.tags[tag].translate(_without_spaces), validate=True)
        except (binascii.Error, ValueError):
            raise permanent(f"{tag}= is not base64") from None

    def without_value(self, *, relaxed: bool) -> bytes:
        """The field as it was hashed: an empty b=, no line end (RFC 6376 §3.7)."""
        head, colon, rest = self.raw.partition(b":")
        parts = rest.split(b";")
        for number, part in enumerate(parts):
            name, equals, _ = part.partition(b"=")
            if equals and name.strip() == b"b":
                parts[number] = name + equals
        emptied = head + colon + b";".join(parts)
        if relaxed:
            return relaxed_field(self.name, emptied)[:-2]
        return emptied.removesuffix(b"\r\n")

    def check_body(self, message: SignedMessage) -> None:
        """Raises Unproved when the body is not the one that was signed."""
        body = message.canonical_body(self.forms[1])
        length = self.number("l")
        if length is not None and length > len(body):
            raise Unproved("fail", "the body is shorter than what was signed")
        signed = body if length is None else body[:length]
        if sha256(signed).digest() != self.octets("bh"):
            raise Unproved("fail", "the body was changed")
        if len(signed) < len(body):
            # RFC 6376 §8.2: what follows may be anybody's.
            raise Unproved("policy", "the signature covers only the beginning of the body")

    def check_key(self, data: bytes, texts: Sequence[bytes] | None) -> Mapping[str, str]:
        """Check the signature over `data`; the tags of its key. Raises Unproved."""
        if texts is None:
            raise Unproved("temperror", "the key cannot be found out now")
        if not texts:
            raise permanent("there is no such key")
        key, tags = read_key(texts[0])
        value = self.octets("b")
        try:
            if isinstance(key, rsa.RSAPublicKey) and self.algorithm == "rsa-sha256":
                key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
            elif isinstance(key, ed25519.Ed25519PublicKey) and self.algorithm == "ed25519-sha256":
                key.verify(value, sha256(data).digest())  # RFC 8463 §3
            else:
                raise permanent("the key is of another algorithm")
        except InvalidSignature:
            raise Unproved("fail", "the signature does not fit") from None
        return tags


def read_tags(text: bytes) -> dict[str, str]:
    """A list of tags (RFC 6376 §3.2). Raises Unproved."""
    try:
        parts = text.decode("utf-8").split(";")
    except UnicodeDecodeError:
        raise permanent("the tags are no text") from None
    if not parts[-1].strip():
        parts.pop()
    tags: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _is_tag_name(name) or name in tags:
            raise permanent("the tags cannot be read")
        tags[name] = value.strip().replace("\r\n", "")
    return tags


def read_key(text: bytes) -> tuple[PublicKey, dict[str, str]]:
    """A key record (RFC 6376 §3.6.1). Raises Unproved."""
    if len(text) > LONGEST_KEY:
        raise permanent("the key is too long")
    tags = read_tags(text)
    if tags.get("v", "DKIM1") != "DKIM1":
        raise permanent("the key is of another kind")
    if "p" not in tags:
        raise permanent("the record has no key")
    if not tags["p"]:
        raise permanent("the key was revoked")
    if not {"*", "email"} & {word.strip() for word in tags.get("s", "*").split(":")}:
        raise permanent("the key is not for mail")
    if "sha256" not in {word.strip() for word in tags.get("h", "sha256").split(":")}:
        raise permanent("the key is not for this hash")
    try:
        octets = b64decode(tags["p"].translate(_without_spaces), validate=True)
        return _public_key(tags.get("k", "rsa").lower(), octets), tags
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        raise permanent("the key cannot be read") from None


def _public_key(kind: str, octets: bytes) -> PublicKey:
    if kind == "ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(octets)
    if kind != "rsa":
        raise permanent("the key is of an unknown algorithm")
    key = serialization.load_der_public_key(octets)
    if not isinstance(key, rsa.RSAPublicKey):
        raise permanent("the key is of another algorithm than it says")
    if key.key_size not in RSA_BITS or key.public_numbers().e > LARGEST_EXPONENT:
        raise Unproved("policy", f"a key of {key.key_size} bits is not trusted")
    return key
