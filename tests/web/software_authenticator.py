"""An authenticator in software: ES256 keys, attestation `none` or packed by the key itself
(WebAuthn §6.1, §6.5, §8.2). It signs whatever page, challenge or counter a test tells it to."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from mailbox_service.core.passkeys import base64url

PRESENT, VERIFIED, MAY_BE_COPIED, COPIED, WITH_KEY = 0x01, 0x04, 0x08, 0x10, 0x40
ES256 = -7


def client_data(kind: str, options: dict[str, Any], origin: str) -> bytes:
    """What a browser says about its page."""
    told = {
        "type": kind,
        "challenge": options["challenge"],
        "origin": origin,
        "crossOrigin": False,
    }
    return json.dumps(told).encode()


@dataclass
class SoftwareAuthenticator:
    """One passkey. `counts` off: its counter stays 0, as that of a synchronised passkey."""

    counts: bool = True
    packed: bool = False
    counter: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def id(self) -> str:
        return base64url(self.credential_id)

    def _data(self, domain: str, flags: int, attested: bytes = b"") -> bytes:
        if self.counts:
            self.counter += 1
        head = hashlib.sha256(domain.encode()).digest() + bytes([flags])
        return head + self.counter.to_bytes(4, "big") + attested

    def _attested(self) -> bytes:
        point = self.key.public_key().public_numbers()
        public = {1: 2, 3: ES256, -1: 1, -2: point.x.to_bytes(32, "big"),
                  -3: point.y.to_bytes(32, "big")}  # fmt: skip
        length = len(self.credential_id).to_bytes(2, "big")
        return bytes(16) + length + self.credential_id + cbor2.dumps(public)

    def _signed(self, data: bytes, client: bytes) -> bytes:
        return self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))

    def create(
        self, options: dict[str, Any], *, origin: str, domain: str | None = None
    ) -> dict[str, Any]:
        """Answer `navigator.credentials.create`."""
        client = client_data("webauthn.create", options, origin)
        flags = PRESENT | VERIFIED | WITH_KEY | (0 if self.counts else MAY_BE_COPIED | COPIED)
        data = self._data(domain or options["rp"]["id"], flags, self._attested())
        statement = {"alg": ES256, "sig": self._signed(data, client)} if self.packed else {}
        attestation = {
            "fmt": "packed" if self.packed else "none",
            "attStmt": statement,
            "authData": data,
        }
        return self._credential(
            clientDataJSON=base64url(client),
            attestationObject=base64url(cbor2.dumps(attestation)),
            transports=["internal", "hybrid"],
        )

    def get(
        self, options: dict[str, Any], *, origin: str, domain: str | None = None
    ) -> dict[str, Any]:
        """Answer `navigator.credentials.get`."""
        client = client_data("webauthn.get", options, origin)
        data = self._data(domain or options["rpId"], PRESENT)
        return self._credential(
            clientDataJSON=base64url(client),
            authenticatorData=base64url(data),
            signature=base64url(self._signed(data, client)),
        )

    def _credential(self, **response: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "rawId": self.id,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        }
