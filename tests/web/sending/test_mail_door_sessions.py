"""Sessions of the submission door that a credential of the sending API began (sending-api §9):
what is blocked or removed meanwhile sends nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.envelope import Envelope, Peer, Principal
from mailbox_service.core.errors import BadCredential
from mailbox_service.service import LocalSubmission
from tests.web.sending.conftest import Api

pytestmark = pytest.mark.anyio

PEER = Peer("192.0.2.9", helo="client.test", protocol="ESMTPA")
CONTENT = b"From: ann@inbox.test\r\nTo: bob@inbox.test\r\nSubject: smtp\r\n\r\nx\r\n"


async def send(door: LocalSubmission, principal: Principal) -> None:
    envelope = Envelope("ann@inbox.test", ("bob@inbox.test",))
    await door.submit(principal, envelope, CONTENT, PEER)


@pytest.mark.parametrize(
    ("begins", "ends", "name"),
    [
        ("users/smtp/add", ("users/smtp/edit", {"disabled": True}), {"username": "shop-1"}),
        ("users/smtp/add", ("users/smtp/remove", {}), {"username": "shop-1"}),
        ("api_keys/add", ("api_keys/edit", {"status": "blocked"}), {}),
        ("api_keys/add", ("api_keys/remove", {}), {}),
        ("ip_auth/add", ("ip_auth/edit", {"status": "blocked"}), {"ip_address": PEER.ip}),
        ("ip_auth/add", ("ip_auth/remove", {}), {"ip_address": PEER.ip}),
    ],
)
async def test_a_session_ends_with_what_it_began_with(
    api: Api, begins: str, ends: tuple[str, dict[str, Any]], name: dict[str, str]
) -> None:
    parts = api.site.parts
    sending = parts.sending_api
    door = LocalSubmission(
        parts.authenticating, parts.sending, sending.emails, sending.authenticated_ips
    )
    made = await api.data(begins, name)
    (made,) = made["results"] if isinstance(made, dict) else made
    if begins.startswith("ip_auth"):
        principal = await door.known_by_address(PEER)
    else:
        password = made.get("email_password") or made["api_key"]
        principal = await door.authenticate("shop-1", password, PEER)
    assert principal is not None
    await send(door, principal)
    change = {**(name or {"id": made["username"]}), **ends[1]}
    await api.data(ends[0], change, verb="PATCH" if ends[0].endswith("/edit") else "POST")
    with pytest.raises(BadCredential):
        await send(door, principal)
    await api.deliver()
    assert len(await api.received()) == 1
