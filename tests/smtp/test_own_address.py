"""As whom a session of the submission door may write: as the address that logged in, for as long
as that is the same registration."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service.core.envelope import Principal
from mailbox_service.service import LocalSubmission
from mailbox_service.services.authenticating import Opened
from smtp_proxy.submission import SubmissionDoor
from tests.databases import AnyDatabase
from tests.services.posting import Post
from tests.smtp.wire import Wire

pytestmark = pytest.mark.anyio

CONTENT = b"Subject: x\r\n\r\nhello\r\n"


@pytest.fixture
def post(database: AnyDatabase) -> Post:
    return Post(database)


@pytest.fixture
async def wire(post: Post) -> AsyncIterator[Wire]:
    nobody: Any = None  # no credential of the sending API comes here
    backend = LocalSubmission(post.authenticating, post.sending, nobody, nobody)
    door = SubmissionDoor(backend, hostname="x.test")
    await door.start("127.0.0.1", 0)
    async with await Wire.connect(door.address) as client:
        assert (await client.ask("EHLO me.test")).startswith("250")
        yield client
    await door.close(0.0)


async def opened(post: Post) -> Opened:
    return await post.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )


async def log_in(wire: Wire, address: Opened) -> None:
    words = b64encode(f"\0jwt\0{address.jwt}".encode()).decode()
    assert (await wire.ask(f"AUTH PLAIN {words}")).startswith("235")


async def send(wire: Wire, sender: str = "ann@x.test") -> str:
    return await wire.transaction(CONTENT, "bob@far.test", sender=sender)


async def test_a_session_sends_on_whenever_its_address_was_looked_at(
    wire: Wire, post: Post
) -> None:
    await log_in(wire, await opened(post))
    assert (await send(wire)).startswith("250 2.0.0 Queued as")
    post.authenticating.forget()  # as time does
    assert (await send(wire)).startswith("250 2.0.0 Queued as")


async def test_a_closed_address_sends_nothing_more_and_its_next_owner_is_not_written_for(
    wire: Wire, post: Post
) -> None:
    address = await opened(post)
    await log_in(wire, address)
    await post.registering.close(address.address_id, address.address)
    assert (await send(wire)).startswith("535 5.7.8 ")
    other = await opened(post)
    assert other.address_id != address.address_id
    assert (await send(wire)).startswith("535 5.7.8 ")
    assert (await post.sent.page("ann@x.test", limit=10)).messages == []
    owner = Principal("address", other.address, other.address_id)
    await post.authenticating.look_again(owner)
    assert post.authenticating.stands(owner)
    assert (await send(wire)).startswith("535 5.7.8 ")


async def test_a_sub_address_may_stand_at_mail(wire: Wire, post: Post) -> None:
    """Mail programs name there what stands in From."""
    await log_in(wire, await opened(post))
    assert (await send(wire, "ann+shop@x.test")).startswith("250 2.0.0 Queued as")
    refused = await wire.ask("MAIL FROM:<annx+shop@x.test>")
    assert refused == "553 5.7.1 The sender is not the address you are logged in as"
