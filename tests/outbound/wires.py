"""What the tests of `outbound` share: a sender with short waits, and a way to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailbox_service.outbound.connections import Connections
from mailbox_service.outbound.hops import Relay, Timeouts, Tls
from mailbox_service.outbound.opening import Opener
from mailbox_service.outbound.sender import Outbound
from mailbox_service.outbound.transaction import Attempted
from tests.nexthop import NextHop

LETTER = b"From: ann@x.test\r\nSubject: Hello\r\n\r\nHow are you?\r\n"
# Far more than loopback needs, far less than anybody waits for.
SHORT = Timeouts(connect=5.0, command=5.0, data=5.0, block=5.0, final=5.0)


def relay_to(hop: NextHop, tls: Tls = "opportunistic", **changes: Any) -> Relay:
    """A relay that the test's server is."""
    values: dict[str, Any] = {"host": "127.0.0.1", "timeouts": SHORT, **changes}
    return Relay(port=hop.port, tls=tls, **values)


class Wire:
    """A sender through one relay."""

    def __init__(self, relay: Relay, opener: Opener | None = None, **connections: Any) -> None:
        self.outbound = Outbound(
            "mail.x.test",
            "relay",
            relay=relay,
            opener=opener,
            connections=Connections(**connections),
        )

    async def send(
        self, *recipients: str, content: bytes = LETTER, smtputf8: bool = False
    ) -> Mapping[str, Attempted]:
        return await self.outbound.send(
            "x.test", "ann@x.test", recipients, content, smtputf8=smtputf8
        )

    async def codes(self, *recipients: str, **options: Any) -> list[str]:
        """Code and status of each recipient's answer."""
        answers = await self.send(*recipients, **options)
        return [f"{answers[one].reply.code} {answers[one].reply.enhanced}" for one in recipients]
