"""Secrets that must be read again, such as passwords for other servers: kept sealed.

AES-256-GCM under a key that is derived from the service's own secret (HKDF, RFC 5869). What a
secret is for is bound to it, so that one row's secret cannot be put into another row.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# What AES-GCM takes for a nonce. A random one repeats once in 2^48 secrets.
NONCE_OCTETS = 12


class NotUnsealed(Exception):
    """What was kept cannot be read: the service has another secret now, or it was changed."""


class Sealer:
    """Seals and unseals. `use` keeps the keys of different uses of one secret apart."""

    def __init__(self, secret: str, use: str) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=use.encode())
        self._cipher = AESGCM(derived.derive(secret.encode()))

    def seal(self, plain: str, *, purpose: str, nonce: bytes) -> str:
        """A text in its sealed form. `nonce`: twelve octets that never come twice."""
        sealed = self._cipher.encrypt(nonce, plain.encode(), purpose.encode())
        return base64.b64encode(nonce + sealed).decode()

    def unseal(self, sealed: str, *, purpose: str) -> str:
        """The text again. Raises NotUnsealed."""
        try:
            octets = base64.b64decode(sealed, validate=True)
            nonce, rest = octets[:NONCE_OCTETS], octets[NONCE_OCTETS:]
            return self._cipher.decrypt(nonce, rest, purpose.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag):
            raise NotUnsealed from None
