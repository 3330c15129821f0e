"""A gateway for short messages that is spoken to over HTTP: through the guarded client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mailbox_service.core.sms import GatewayProblem, Inbound, Outgoing, Receipt
from mailbox_service.core.sms_dialects import HttpDialect, gateway_id_in, request_for
from mailbox_service.outbound.webhook import HttpOut


class HttpGateway:
    """Hands messages over by one request each; receipts come by our callback."""

    def __init__(self, dialect: HttpDialect, out: HttpOut) -> None:
        self._dialect = dialect
        self._out = out

    @property
    def name(self) -> str:
        """What summaries call it."""
        return self._dialect.preset or "http"

    async def send(self, message: Outgoing, callback: str) -> str:
        """Hand a message over; the gateway's id of it. Raises GatewayProblem."""
        try:
            request = request_for(self._dialect, message, callback)
        except (ValueError, UnicodeError):
            raise GatewayProblem("The message cannot be put into a request", passes=False) from None
        return gateway_id_in(self._dialect, await self._out.post(request))

    async def run(self, _: Callable[[Receipt | Inbound], Awaitable[None]]) -> None:
        """There is no session."""
