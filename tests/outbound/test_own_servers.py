"""Servers that users name, and what is told of them when they misbehave."""

from __future__ import annotations

import pytest

from mailbox_service.core.own_server import Connection, ServerProblem
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.own_servers import OwnServers
from tests.outbound.test_pipelining import CLOSE, OK, scripted
from tests.outbound.wires import LETTER

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("rset", [OK, b"502 5.5.1 What is that?\r\n", CLOSE])
async def test_recipients_who_are_refused_stay_refused_whatever_the_server_does_next(
    rset: bytes,
) -> None:
    """A server that hangs up on a sender of refused recipients has said its no before."""
    nobody = b"550 5.1.1 Nobody\r\n"
    async with scripted((OK, nobody, nobody, rset), pipelining=False) as script:
        servers = OwnServers(Resolver(), "mail.x.test", private_hosts=("127.0.0.1",))
        server = await servers.open(
            Connection(host="127.0.0.1", port=script.port, use_tls=False), ""
        )
        with pytest.raises(ServerProblem) as raised:
            await server.send("ann@x.test", ("bob@n.test", "eve@n.test"), LETTER)
        assert (raised.value.code, raised.value.smtp_code) == ("recipient_refused", 550)
        assert not raised.value.passes
        assert server.usable is (rset == OK)
        server.close()
