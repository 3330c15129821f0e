"""How passwords of addresses are kept.

A client sends the lower-case hex SHA-256 of what was typed (mailbox-api §2.3); what we store is
made from that. A password that a person chose may be weak, so it is kept as Argon2id. One that
we made ourselves is 8 random letters and digits, and one is made for every address opened: a
slow hash there would cost more than all the rest of opening, so it is kept as HMAC-SHA-256
with a salt and a key that is not in the database. Without that key nothing can be guessed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import string

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mailbox_service.services.clock import random_text
from mailbox_service.services.randomness import random_octets

LENGTH = 8  # mailbox-api §2.3
_SALT_OCTETS = 16
_LETTERS = string.ascii_lowercase + string.digits
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
# RFC 9106 §4, second recommended option, with less memory: 19 MiB is OWASP's floor, and two of
# these at once must not push mail out of a small machine's memory.
_ARGON2 = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Slow hashes at once: each fills a core.
_AT_ONCE = 2


def is_digest(text: str) -> bool:
    """Whether a client sent the hash of a password, as it must, and not the password."""
    return _HEX_DIGEST.fullmatch(text) is not None


def digest_of(plain: str) -> str:
    """What a client would have sent for a typed password."""
    return hashlib.sha256(plain.encode()).hexdigest()


def generate() -> str:
    """A password of our own making."""
    return random_text(LENGTH)


class Passwords:
    """Makes and checks the stored form. `secret` is the service's own."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"mailbox password key\0" + secret.encode()).digest()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def keep_generated(self, plain: str) -> str:
        """The stored form of a password of our own making."""
        salt = random_octets(_SALT_OCTETS)
        return f"$hmac${salt.hex()}${self._mac(salt, digest_of(plain))}"

    def keep_moved(self, digest: str) -> str:
        """The stored form of a password that comes from another deployment by the thousand: most
        are random, and a slow hash for each would take hours."""
        salt = random_octets(_SALT_OCTETS)
        return f"$hmac${salt.hex()}${self._mac(salt, digest)}"

    def made_for(self, what: str) -> str:
        """A password of our own making that is the same whenever it is made for the same thing.
        Nobody without the service's secret can make it."""
        made = int.from_bytes(hmac.digest(self._key, b"made for\0" + what.encode(), "sha256"))
        letters = []
        for _ in range(LENGTH):
            made, letter = divmod(made, len(_LETTERS))
            letters.append(_LETTERS[letter])
        return "".join(letters)

    async def keep_chosen(self, digest: str) -> str:
        """The stored form of a password that a person chose."""
        async with self._slots:
            return await asyncio.to_thread(_ARGON2.hash, digest)

    async def matches(self, stored: str | None, digest: str) -> bool:
        """Whether a digest is that of the stored password; takes as long when there is none."""
        if stored is not None and stored.startswith("$hmac$"):
            _, _, salt, mac = stored.split("$")
            return hmac.compare_digest(mac, self._mac(bytes.fromhex(salt), digest))
        async with self._slots:
            return await asyncio.to_thread(_verify, stored or _NOBODY, digest)

    def _mac(self, salt: bytes, digest: str) -> str:
        return hmac.digest(self._key, salt + digest.encode(), "sha256").hex()


def _unmatched() -> str:
    """A stored form that takes as long to check as any, and that no password is known to match:
    its hash is random."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(octets)).decode().rstrip("=") for octets in (16, 32)
    )
    costs = f"m={_ARGON2.memory_cost},t={_ARGON2.time_cost},p={_ARGON2.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


_NOBODY = _unmatched()


def _verify(stored: str, digest: str) -> bool:
    try:
        return _ARGON2.verify(stored, digest)
    except (VerificationError, InvalidHashError):
        return False
