"""Return-paths of their own for messages (VERP), signed, so that bounces find their message and
nobody else can make one up (hazard 53).

    bounce+<queue id><who><proof>@the.domain

`who` is a digest of the recipients' domain, when the copy went to one domain only: the host of
one domain cannot bounce for another. The proof is a keyed hash. Everything is lower-case letters
and digits, since local parts are compared without case here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass

from mailbox_service.core.address import split

PREFIX = "bounce+"
UNSUBSCRIBE = "unsub+"
ANYBODY = "0000"
# 80 bits: each guess costs a connection and a recipient.
PROOF_OCTETS = 10

_TOKEN = r"[0-9a-hjkmnp-tv-z]{26}[0-9a-f]{4}[a-z2-7]{16}"  # noqa: S105 - a grammar
_is_token = re.compile(_TOKEN).fullmatch
_in_text = re.compile(rb"bounce\+(" + _TOKEN.encode() + rb")@", re.IGNORECASE).finditer


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """What a return-path of ours stands for."""

    queue_id: str
    who: str

    def covers(self, recipient: str) -> bool:
        """Whether the copy with this return-path went to a recipient's domain."""
        return self.who in (ANYBODY, digest_of(split(recipient)[1]))


class ReturnPaths:
    """Makes and proves them, with a key made of the service's secret."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"return paths", hashlib.sha256)

    def local_part(self, queue_id: str, domains: Collection[str]) -> str:
        """The local part for the copy of a message to recipients of these domains."""
        named = set(domains)
        who = digest_of(named.pop()) if len(named) == 1 else ANYBODY
        told = queue_id.lower() + who
        return f"{PREFIX}{told}{self._proof(told)}"

    def read(self, address: str) -> ReturnPath | None:
        """What an address stands for; None when it is none of ours."""
        local = split(address)[0].lower()
        if not local.startswith(PREFIX):
            return None
        return self._read(local.removeprefix(PREFIX))

    def found_in(self, text: bytes, most: int) -> ReturnPath | None:
        """The first return-path of ours in a text, among the first `most` that look like one."""
        for count, match in enumerate(_in_text(text)):
            if count >= most:
                break
            read = self._read(match[1].decode("ascii").lower())
            if read is not None:
                return read
        return None

    def _read(self, token: str) -> ReturnPath | None:
        if not _is_token(token):
            return None
        told, proof = token[:30], token[30:]
        if not hmac.compare_digest(proof, self._proof(told)):
            return None
        return ReturnPath(told[:26].upper(), told[26:])

    def _proof(self, told: str) -> str:
        digest = hmac.digest(self._key, told.encode(), hashlib.sha256)[:PROOF_OCTETS]
        return base64.b32encode(digest).decode().lower()


def digest_of(domain: str) -> str:
    """Four letters for a domain; never those that stand for anybody."""
    digest = hashlib.sha256(domain.lower().encode()).hexdigest()[:4]
    return digest if digest != ANYBODY else "0001"
