"""A gateway for short messages that speaks SMPP 3.4: one session that is kept up.

aiosmpplib speaks, and is loaded when the gateway is used. The server is the operator's choice, so
no guard stands before it. What it delivers is acknowledged after it is on disk: the library
answers `deliver_sm` when our hook has returned.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mailbox_service.core.sms import (
    GatewayProblem,
    Inbound,
    Outgoing,
    Receipt,
    is_gsm,
    number_of,
    state_of,
)

log = logging.getLogger("mailbox.sms")

# The wait for `submit_sm_resp`; gateways ask the network before they answer.
ANSWER_SECONDS = 30.0
# After a failure that the library does not know how to meet.
AGAIN_SECONDS = 5.0
# GSM 03.40 §9.2.3.24: the parts of a long message say which they are.
WITH_HEADER = 0b01000000
# Codes of SMPP 3.4, table 5-2, after which another try makes sense: throttled, queue full,
# system errors.
PASSING = frozenset(("ESME_RTHROTTLED", "ESME_RMSGQFUL", "ESME_RSYSERR", "ESME_RX_T_APPN"))

Tell = Callable[[Receipt | Inbound], Awaitable[None]]


class SmppGateway:
    """A session with an SMSC."""

    def __init__(
        self,
        host: str,
        port: int,
        system_id: str,
        password: str,
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._system_id = system_id
        self._password = password
        self._seconds = answer_seconds
        self._session: Any = None
        self._waiting: dict[str, asyncio.Future[str]] = {}

    @property
    def name(self) -> str:
        """What summaries call it."""
        return "smpp"

    @property
    def bound(self) -> bool:
        """Whether messages can be handed over now."""
        session = self._session
        return session is not None and session.session_state == session.bind_mode.session_state

    async def send(self, message: Outgoing, _: str) -> str:
        """Hand a message over; the gateway's id of it. Raises GatewayProblem."""
        from aiosmpplib import PhoneNumber, SubmitSm  # type: ignore[import-untyped]

        if not self.bound:
            raise GatewayProblem("No session with the gateway", passes=True)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[message.id] = answer
        try:
            submit = SubmitSm(
                short_message=message.content,
                source=PhoneNumber(message.sender.removeprefix("+"), *kind_of(message.sender)),
                destination=PhoneNumber(
                    message.destination.removeprefix("+"), *kind_of(message.destination)
                ),
                registered_delivery=1,
                esm_class=WITH_HEADER,
                auto_message_payload=False,
                encoding="gsm0338" if is_gsm(message.content) else "ucs2",
                log_id=message.id,
            )
            await self._session.broker.enqueue(submit)
            async with asyncio.timeout(self._seconds):
                return await answer
        except TimeoutError:
            raise GatewayProblem("The gateway did not answer", passes=True) from None
        except ValueError as error:
            raise GatewayProblem(str(error)[:200], passes=False) from None
        finally:
            self._waiting.pop(message.id, None)

    async def run(self, tell: Tell) -> None:
        """Keep the session up until cancelled, and tell what comes."""
        while True:
            await self._hold(tell)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _hold(self, tell: Tell) -> None:
        """One life of the library's session, which connects again by itself."""
        from aiosmpplib import ESME

        self._session = ESME(
            smsc_host=self._host,
            smsc_port=self._port,
            system_id=self._system_id,
            password=self._password,
            hook=hook_of(self, tell),
            # Its log shows what it sends, and so the password.
            log_level=logging.CRITICAL,
            log_handler=logging.NullHandler(),
        )
        session = self._session
        task = asyncio.create_task(session.start())
        try:
            await asyncio.wait({task})
        finally:
            # The library takes leave when it is cancelled, and leaves the connection open.
            writer = session._writer
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if writer is not None:
                writer.close()
            self._session = None
        if not task.cancelled() and task.exception() is not None:
            log.error("smpp-session-failed error=%s", task.exception())

    def answered(self, message_id: str, gateway_id: str, status: str) -> None:
        """The gateway answered a message."""
        waiting = self._waiting.get(message_id)
        if waiting is None or waiting.done():
            return
        if status == "ESME_ROK":
            waiting.set_result(gateway_id)
        else:
            waiting.set_exception(GatewayProblem(status, passes=status in PASSING))

    def failed(self, message_id: str, error: Exception) -> None:
        """A message could not be written."""
        waiting = self._waiting.get(message_id)
        if waiting is not None and not waiting.done():
            passes = not isinstance(error, ValueError)
            waiting.set_exception(GatewayProblem(type(error).__name__, passes=passes))


def kind_of(number: str) -> tuple[Any, Any]:
    """Type and plan of a number: international and ISDN, or letters."""
    from aiosmpplib import NPI, TON

    if number.startswith("+"):
        return TON.INTERNATIONAL, NPI.ISDN
    if number.isdigit():
        return TON.UNKNOWN, NPI.ISDN
    return TON.ALPHANUMERIC, NPI.UNKNOWN


def hook_of(gateway: SmppGateway, tell: Tell) -> Any:
    """What the library calls when something happens in the session of a gateway."""
    from aiosmpplib import AbstractHook, DeliverSm, SmppMessage, SubmitSm, SubmitSmResp

    class Hook(AbstractHook):  # type: ignore[misc]
        async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:
            return None

        async def received(
            self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str
        ) -> None:
            if isinstance(smpp_message, SubmitSmResp):
                status = smpp_message.command_status.name
                gateway.answered(smpp_message.log_id, smpp_message.message_id, status)
            elif isinstance(smpp_message, DeliverSm):
                told = told_by(smpp_message)
                if told is not None:
                    await tell(told)

        async def send_error(
            self, smpp_message: SmppMessage, error: Exception, client_id: str
        ) -> None:
            if isinstance(smpp_message, SubmitSm):
                gateway.failed(smpp_message.log_id, error)

    return Hook()


def told_by(message: Any) -> Receipt | Inbound | None:
    """What a `deliver_sm` tells; None for nothing that can be used."""
    if message.is_receipt():
        try:
            fields = message.parse_receipt()
        except ValueError:
            return None
        status = state_of(str(fields.get("stat", "")))
        if not status:
            return None
        return Receipt(status, str(fields.get("id", "")), message.log_id)
    source = message.source.number
    content = message.short_message or message.message_payload
    return Inbound(
        number_of(source) or source, number_of(message.destination.number) or "", content
    )
