"""The test hooks, which exist only in `e2e_test_mode` (mailbox-api §3.6)."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.address import as_written, canonical
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
    ai_extract_result: Extract | str | None = None


class Arrived(Struct, frozen=True, rename="camel"):
    """What became of it."""

    success: bool
    reply_called: bool = False
    forwarded_to: list[str] = []
    rejected: str | UnsetType = UNSET


read_seed = msgspec.json.Decoder(Seed)
read_arrival = msgspec.json.Decoder(Arrival)
read_extract = msgspec.json.Decoder(Extract)


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
    content = seed.raw.encode("utf-8", "replace")
    await call.services.receiving.store_notice(
        lenient(seed.address), seed.source or "", content, message_id=seed.message_id or ""
    )
    return SUCCESS


@routes.post(
    "/admin/test/receive_mail", ADMIN, body=Arrival, returns=Arrived, body_limit=LARGEST_SEED
)
async def receive_mail(call: Call) -> Arrived:
    """Hand a mail to the whole of reception: judged, given its trace field, stored. What follows
    from it is decided before the answer."""
    check_test_mode(call)
    arrival = await call.json(read_arrival)
    if not arrival.from_ or not (arrival.to or "").strip() or not arrival.raw:
        raise BadRequest("from, to and raw are required")
    envelope = Envelope(lenient(arrival.from_, as_written), (lenient(arrival.to or ""),))
    content = with_a_message_id(arrival.raw)
    try:
        receipt = await call.services.receiving.accept(envelope, content, call.peer)
    except TemporaryFailure:
        raise
    except MailError as error:
        return Arrived(success=False, rejected=error.detail)
    if not receipt.message_ids:  # it told of mail that we sent, and lies in no mailbox
        return Arrived(success=True)
    extract = extraction(arrival.ai_extract_result)
    fate = await call.services.reacting.react_to(receipt.message_ids[0], extract)
    return Arrived(success=True, reply_called=fate.replied, forwarded_to=fate.forwarded_to)


def extraction(found: Extract | str | None) -> dict[str, str] | None:
    """What is written down of a model's answer (mailbox-api §9.9), which comes as JSON or as a
    text of it; None when it found nothing."""
    if isinstance(found, str):
        try:
            found = read_extract.decode(found)
        except msgspec.DecodeError:
            return None
    if found is None or found.type not in EXTRACT_TYPES or not found.result:
        return None
    return {"type": found.type, "result": found.result, "result_text": found.result_text}


def lenient(address: str, read: Callable[[str], str] = canonical) -> str:
    """The address as a door reads it; tests also try what is no address."""
    try:
        return read(address)
    except BadAddress:
        return address.strip()


def with_a_message_id(raw: str) -> bytes:
    """The message, with a Message-ID that is made up when it has none."""
    content = raw.encode("utf-8", "replace")
    if re.search(rb"(?im)^message-id[ \t]*:", content.partition(b"\r\n\r\n")[0]):
        return content
    return f"Message-ID: <{new_id().lower()}@test.invalid>\r\n".encode() + content
