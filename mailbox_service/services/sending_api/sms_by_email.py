"""Short messages by way of an e-mail gateway: `number@gateway`, through our own queue (sending-api
§11.2).

The cheapest way and the poorest: some carriers and many offices run such a gateway, and none of
them tells what became of a message. So it is `submitted` when the mail is in the queue, and no
receipt ever follows.
"""

from __future__ import annotations

from mailbox_service.core.address import canonical
from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.envelope import Envelope, Principal
from mailbox_service.core.errors import BadAddress, MailError, TemporaryFailure
from mailbox_service.core.sms import GatewayProblem, Outgoing
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.kept_requests import new_message_id
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.sms_handing_over import Telling

NUMBER = "{number}"


class EmailGateway:
    """Mails each message to an address made of its number. Raises BadAddress for a pattern or a
    sender that make none."""

    name = "email"

    def __init__(
        self, sending: Sending, pattern: str, sender: str, *, clock: Clock = now_micros
    ) -> None:
        self._sending = sending
        self._pattern = pattern
        self._sender = canonical(sender)
        self._clock = clock
        if NUMBER not in pattern:
            raise BadAddress(f"{NUMBER} is missing")
        self._address("15550100")

    def _address(self, number: str) -> str:
        return canonical(self._pattern.replace(NUMBER, number.removeprefix("+")))

    async def send(self, message: Outgoing, _: str) -> str:
        """Queue a message as mail; the id of the mail. Raises GatewayProblem."""
        try:
            recipient = self._address(message.destination)
            content = compose(
                # The gateways put a subject before the text, where every letter counts.
                Draft(
                    sender=NamedAddress(self._sender),
                    to=(NamedAddress(recipient),),
                    text=message.content,
                    headers=(("Auto-Submitted", "auto-generated"),),
                ),
                message_id=new_message_id(new_id(), self._sender),
                date=as_datetime(self._clock()),
            )
            receipt = await self._sending.submit(
                Principal("admin", "", unlimited=True),
                Envelope(self._sender, (recipient,)),
                content,
                door="api",
                charge=False,
                listed=False,
            )
        except TemporaryFailure as error:
            raise GatewayProblem(error.detail, passes=True) from None
        except MailError as error:
            raise GatewayProblem(error.detail, passes=False) from None
        return receipt.queue_id

    async def run(self, _: Telling) -> None:
        """There is no session, and nobody tells anything."""
