"""The doors as tests use them: the real application on a real store, asked over ASGI."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from mailbox_service.assembly import Parts, build
from mailbox_service.config import Config
from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.storage import messages
from mailbox_service.web.app import create_app
from mailbox_service.web.server import http_server
from mailbox_service.web.services import Services, Verifying
from tests.journeys.running import empty_store

SECRET = "a secret of the tests, long enough"
ADMIN_PASSWORD = "open-sesame"
SITE_PASSWORD = "knock-knock"
BOT_TOKEN = "123456:of-the-tests"
ADMIN = {"x-admin-auth": ADMIN_PASSWORD}

# What most tests want: everything an owner may do is allowed.
SETTINGS: dict[str, Any] = {
    "domains": ["inbox.test", "second.test"],
    "jwt_secret": SECRET,
    "admin_passwords": [ADMIN_PASSWORD],
    "enable_user_create_email": True,
    "enable_user_delete_email": True,
    "enable_address_password": True,
    "create_address_default_domain_first": True,
    "default_send_balance": 10,
    "enable_webhook": True,
    "enable_auto_reply": True,
    "enable_owner_forwarding": True,
    "webhook_private_addresses": True,
    "e2e_test_mode": True,
    "telegram_bot_token": BOT_TOKEN,
    "telegram_api_url": "http://127.0.0.1:1",  # nobody, unless a test has a simulator
}

LETTER = (
    b"From: Ferrybank <no-reply@ferry.example>\r\n"
    b"To: ann@inbox.test\r\n"
    b"Subject: Your code\r\n"
    b"Message-ID: <one@ferry.example>\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"\r\n"
    b"Your verification code is 482913.\r\n"
)


async def until(reached: Callable[[], bool], seconds: float = 10.0) -> None:
    """Let other tasks run until something is so."""
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@dataclass(frozen=True)
class Mailbox:
    """An opened address and how to prove it."""

    address: str
    address_id: int
    jwt: str
    password: str | None

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.jwt}"}


class Health:
    """The service's health as tests set it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.trouble: TemporaryFailure | None = None

    async def check(self) -> None:
        if self.trouble is not None:
            raise self.trouble
        await self._parts.database.read(messages.newest_id)


class Site:
    """One application. `http` asks it; `open` makes mailboxes; `arrive` puts mail into them."""

    def __init__(
        self, config: Config, parts: Parts, page: Path, verifying: Verifying | None
    ) -> None:
        self.config = config
        self.parts = parts
        self.health = Health(parts)
        self.services = Services.of(parts, health=self.health, verifying=verifying)
        self.app: Starlette = create_app(self.services, config, page=page)
        self.http = self.client()

    def client(self, ip: str = "127.0.0.1") -> httpx2.AsyncClient:
        """A client that comes from an address."""
        transport = httpx2.ASGITransport(self.app, client=(ip, 4711), raise_app_exceptions=True)
        return httpx2.AsyncClient(transport=transport, base_url="http://mail.test")

    async def open(self, name: str = "ann", domain: str = "inbox.test") -> Mailbox:
        """Open an address."""
        answer = await self.http.post("/api/new_address", json={"name": name, "domain": domain})
        assert answer.status_code == 200, answer.text
        return Mailbox(**answer.json())

    async def arrive(
        self, to: str = "ann@inbox.test", raw: bytes = LETTER, sender: str = "a@ferry.example"
    ) -> int:
        """Let a mail arrive; its id."""
        receipt = await self.parts.receiving.accept(
            Envelope(sender, (to,)), raw, Peer("192.0.2.1", helo="ferry.example")
        )
        return receipt.message_ids[0]


@asynccontextmanager
async def running_site(
    folder: Path,
    *,
    page: Path | None = None,
    verifying: Verifying | None = None,
    **settings: Any,
) -> AsyncIterator[Site]:
    """A site with these settings over the usual ones."""
    config = Config(**{"data_dir": str(folder), **SETTINGS, **settings})
    store = folder / "mailbox.db"
    if not (settings.keys() & {"database_url", "data_dir"} or store.exists()):
        shutil.copyfile(empty_store(), store)
    parts = build(config)
    await parts.database.open()
    try:
        await parts.administering.refresh()
        site = Site(config, parts, page or folder / "no-page", verifying)
        async with site.http:
            yield site
    finally:
        await parts.database.close()


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[tuple[str, int]]:
    """The site on a real socket of loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = http_server(site.app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listening.wait()
    try:
        yield listener.getsockname()[:2]
    finally:
        server.should_exit = True
        await task
        listener.close()
