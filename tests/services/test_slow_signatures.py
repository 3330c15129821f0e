"""Signatures that threads make: each belongs to what it was asked for."""

from __future__ import annotations

import asyncio

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mailbox_service.core.dkim import Signer, generate_key
from mailbox_service.services.slow_signatures import A_CALL, THREADS, SlowSignatures

pytestmark = pytest.mark.anyio


async def test_many_at_once_are_each_over_their_own_octets() -> None:
    key = generate_key("rsa")
    signer = Signer("x.test", "one", key)
    private = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    public = private.public_key()
    slow = SlowSignatures()
    texts = [b"letter %d" % number for number in range(3 * A_CALL * THREADS + 1)]
    for text, made in zip(
        texts, await asyncio.gather(*(slow.sign(signer, text) for text in texts)), strict=True
    ):
        public.verify(made, text, padding.PKCS1v15(), hashes.SHA256())


async def test_who_gives_up_waiting_takes_nothing_from_others() -> None:
    signer = Signer("x.test", "one", generate_key("rsa"))
    slow = SlowSignatures()
    first, second = slow.sign(signer, b"a"), slow.sign(signer, b"b")
    first.cancel()
    assert await second == signer.signature(b"b"), "PKCS #1 signatures have no randomness"


async def test_a_failure_reaches_whoever_asked() -> None:
    signer = Signer("x.test", "one", generate_key("rsa"))
    slow = SlowSignatures()
    with pytest.raises(TypeError):
        await slow.sign(signer, "no octets")  # type: ignore[arg-type]
    assert await slow.sign(signer, b"octets")
