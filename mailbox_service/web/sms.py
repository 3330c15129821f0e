"""Where a gateway tells what became of short messages, and what phones wrote (§11.2).

Gateways can only be told an address, so the secret stands in its query, which no log has.
"""

from __future__ import annotations

from mailbox_service.core.errors import BadCredential, BadRequest
from mailbox_service.core.sms_dialects import callback_fields, read_callback
from mailbox_service.web.answers import Answer, text_answer
from mailbox_service.web.guards import OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("sms")

LARGEST = 16_384
# Jasmin sends a receipt again until it hears this.
TAKEN = {"jasmin": "ACK/Jasmin"}


async def told(call: Call) -> Answer:
    """A receipt, or a message from a phone, as the gateway's dialect has it."""
    messages = call.services.sending_api.sms_handing_over
    if not messages.proves(call.query.get("key", "")):
        raise BadCredential("The key of the callback is wrong.")
    try:
        fields = callback_fields(call.query, await call.body())
    except ValueError:
        raise BadRequest("The callback cannot be read.") from None
    found = read_callback(fields, messages.preset)
    if found is not None:
        await messages.tell(found)
    return text_answer(TAKEN.get(messages.preset, "OK"))


@routes.get("/sms/callback", OPEN, returns=str, media_type="text/plain")
async def told_by_get(call: Call) -> Answer:
    """A gateway tells about a short message, in the address alone. Proves a secret in the query."""
    return await told(call)


@routes.post("/sms/callback", OPEN, returns=str, media_type="text/plain", body_limit=LARGEST)
async def told_by_post(call: Call) -> Answer:
    """A gateway tells about a short message. Proves a secret in the query."""
    return await told(call)
