"""/external: for programs that carry the address token in the body."""

from __future__ import annotations

import msgspec

from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadCredential, BadRequest, MailError
from mailbox_service.core.texts import text
from mailbox_service.web.errors import FAILED_TO_SEND, Refused, wrapped
from mailbox_service.web.guards import OPEN
from mailbox_service.web.mailbox.sending import (
    KEY_HEADER,
    MailBody,
    Queued,
    queue,
    read_sending,
)
from mailbox_service.web.request import Call
from mailbox_service.web.routing import WHOLE_MESSAGE, Routes

routes = Routes("external")


class TokenMailBody(MailBody, frozen=True, kw_only=True):
    """A mail to send, with the token of its mailbox."""

    token: str | None = None


read_mail = msgspec.json.Decoder(TokenMailBody)


@routes.post(
    "/external/api/send_mail",
    OPEN,
    body=TokenMailBody,
    returns=Queued,
    headers=KEY_HEADER,
    body_limit=WHOLE_MESSAGE,
)
async def send_mail(call: Call) -> Queued:
    """Queue a mail from the mailbox whose token is in the body."""
    body: TokenMailBody = await read_sending(call, read_mail)
    principal = await sender_of(call, body.token or "")
    return await queue(call, principal, body)


async def sender_of(call: Call, token: str) -> Principal:
    """Whom the token proves. Raises Refused."""
    authenticating = call.services.authenticating
    try:
        return await authenticating.address_token(token)
    except BadCredential as error:
        if names_nobody(call, token):
            missing = BadRequest(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")
            raise missing from None
        refused: MailError = error
    except MailError as error:
        refused = error
    raise Refused(wrapped(refused, FAILED_TO_SEND, call.language))


def names_nobody(call: Call, token: str) -> bool:
    """Whether this is a good token without an address in it."""
    try:
        return not call.services.authenticating.claims(token).get("address")
    except BadCredential:
        return False
