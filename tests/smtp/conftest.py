"""Doors that are open, with an office behind them."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smtp_proxy.door import Door
from smtp_proxy.limits import Limits
from smtp_proxy.reception import ReceptionDoor
from smtp_proxy.submission import SubmissionDoor
from tests.smtp.post_office import PostOffice

# The watch looks often, so that a test about time takes no time.
LIMITS = Limits(tick=0.01)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Doors touch transports closely, and the service runs on uvloop: both loops are tested."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


@pytest.fixture(scope="session")
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture(scope="session")
def client_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate[0])


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


class OpenDoor(Protocol):
    """Opens a door of a kind: `await open_door("reception", idle=0.1)`."""

    async def __call__(
        self, kind: str, *, implicit_tls: bool = ..., options: dict[str, Any] = ..., **limits: Any
    ) -> Door: ...


@pytest.fixture
async def open_door(office: PostOffice, server_tls: ssl.SSLContext) -> AsyncIterator[OpenDoor]:
    async with AsyncExitStack() as stack:

        async def open_one(
            kind: str,
            *,
            implicit_tls: bool = False,
            options: dict[str, Any] | None = None,
            **limits: Any,
        ) -> Door:
            make: Callable[..., Door] = {
                "submission": SubmissionDoor,
                "reception": ReceptionDoor,
            }[kind]
            door = make(
                office,
                hostname="mx.example.test",
                limits=replace(LIMITS, **limits),
                **{"tls": server_tls, **(options or {})},
            )
            await door.start("127.0.0.1", 0, implicit_tls=implicit_tls)
            stack.push_async_callback(door.close, 0.0)
            return door

        yield open_one


async def connections(door: Door, count: int) -> None:
    """Wait until the door has no more than `count` connections."""
    async with asyncio.timeout(10):
        while door.connections > count:  # noqa: ASYNC110 - a door has no event for this
            await asyncio.sleep(0.001)
