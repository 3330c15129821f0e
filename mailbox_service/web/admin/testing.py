"""The test hooks, which exist only in `e2e_test_mode` (mailbox-api §3.6)."""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.address import canonical
from mailbox_service.core.envelope import Envelope
from mailbox_service.core.errors import (
    BadAddress,
    BadRequest,
    MailError,
    NotFound,
    TemporaryFailure,
)
from mailbox_service.services.clock import new_id
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin testing")

LONGEST_RAW = 1_000_000  # characters
LONGEST_MESSAGE_ID = 255
EXTRACT_TYPES = ("auth_code", "auth_link", "service_link", "subscription_link", "other_link")
# JSON may write a character in six octets.
LARGEST_SEED = 6 * LONGEST_RAW + 65_536


class Seed(Struct, frozen=True):
    """A mail to put into a mailbox as it is."""

    address: str | None = None
    raw: str | None = None
    source: str | None = None
    message_id: str | None = None


class Extract(Struct, frozen=True):
    """What a model finds in the mail: auth_code, auth_link, service_link, subscription_link,
    other_link or none."""

    type: str = "none"
    result: str = ""
    result_text: str = ""


class Arrival(Struct, frozen=True, rename={"from_": "from"}):
    """A mail as the world's servers would hand it over."""

    from_: str | None = None
    to: str | None = None
    raw: str | None = None
    ai_extract_result: Extract | None = None


class Arrived(Struct, frozen=True, rename="camel"):
    """What became of it."""

    success: bool
    reply_called: bool = False
    forwarded_to: list[str] = []
    rejected: str | UnsetType = UNSET


read_seed = msgspec.json.Decoder(Seed)
read_arrival = msgspec.json.Decoder(Arrival)


def check_test_mode(call: Call) -> None:
    """Raises NotFound outside of tests."""
    if not call.config.e2e_test_mode:
        raise NotFound("Not available")


@routes.post("/admin/test/seed_mail", ADMIN, body=Seed, returns=Success, body_limit=LARGEST_SEED)
async def seed_mail(call: Call) -> Success:
    """Store a mail without judging it."""
    check_test_mode(call)
    seed = await call.json(read_seed)
    if not seed.address or not seed.raw:
        raise BadRequest("address and raw are required")
    if len(seed.raw) > LONGEST_RAW:
        raise BadRequest("raw content too large")
    if seed.message_id and len(seed.message_id) > LONGEST_MESSAGE_ID:
        raise BadRequest("message_id too long")
    content = with_message_id(seed.raw, seed.message_id or "")
    await call.services.receiving.store_notice(lenient(seed.address), seed.source or "", content)
    return SUCCESS


@routes.post(
    "/admin/test/receive_mail", ADMIN, body=Arrival, returns=Arrived, body_limit=LARGEST_SEED
)
async def receive_mail(call: Call) -> Arrived:
    """Hand a mail to the whole of reception: judged, given its trace field, stored. What follows
    from it is decided before the answer."""
    check_test_mode(call)
    arrival = await call.json(read_arrival)
    if not arrival.from_ or not arrival.to or not arrival.raw:
        raise BadRequest("from, to and raw are required")
    envelope = Envelope(lenient(arrival.from_), (lenient(arrival.to),))
    content = with_a_message_id(arrival.raw)
    try:
        receipt = await call.services.receiving.accept(envelope, content, call.peer)
    except TemporaryFailure:
        raise
    except MailError as error:
        return Arrived(success=False, rejected=error.detail)
    extract = extraction(arrival.ai_extract_result)
    fate = await call.services.reacting.react_to(receipt.message_ids[0], extract)
    return Arrived(success=True, reply_called=fate.replied, forwarded_to=fate.forwarded_to)


def extraction(found: Extract | None) -> dict[str, str] | None:
    """What is written down of a model's answer (mailbox-api §9.9); None when it found nothing."""
    if found is None or found.type not in EXTRACT_TYPES or not found.result:
        return None
    return {"type": found.type, "result": found.result, "result_text": found.result_text}


def lenient(address: str) -> str:
    """The canonical form where there is one; tests also try what is no address."""
    try:
        return canonical(address)
    except BadAddress:
        return address.strip()


def with_a_message_id(raw: str) -> bytes:
    """The message, with a Message-ID that is made up when it has none."""
    return with_message_id(raw, f"<{new_id().lower()}@test.invalid>")


def with_message_id(raw: str, message_id: str) -> bytes:
    """The message with a name of its own, when the test gives one that it does not have.

    A row's Message-ID is what its header says, so that every reader sees the same.
    """
    content = raw.encode("utf-8", "replace")
    if not message_id or re.search(rb"(?im)^message-id[ \t]*:", content.partition(b"\r\n\r\n")[0]):
        return content
    name = re.sub(r"[\x00-\x20\x7f]", "", message_id).encode("utf-8", "replace")
    return b"Message-ID: " + name + b"\r\n" + content
