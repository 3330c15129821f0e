"""Attachments that the owner of a mailbox saves (mailbox-api §3.3).

Four routes say what is there and give signed addresses; the bytes go by those addresses, to the
object store or, where there is none, to the two routes of ours below.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.responses import Response, StreamingResponse

from mailbox_service.core.errors import BadRequest
from mailbox_service.services.files import LOCAL_PATH, NoStore, base_url
from mailbox_service.web.answers import SUCCESS, Answer, Success
from mailbox_service.web.downloads import OCTETS, SANDBOXED, named
from mailbox_service.web.errors import Uncaught
from mailbox_service.web.guards import MAILBOX, OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import WHOLE_FILE, Routes

routes = Routes("attachments")


class Key(Struct, frozen=True):
    """The name of an attachment; slashes part folders."""

    key: Any = None


class KeyRow(Struct, frozen=True):
    """One saved attachment."""

    key: str


class KeyList(Struct, frozen=True):
    """What a mailbox saved, a thousand at most; without `results` when it saved nothing."""

    results: list[KeyRow] | UnsetType = UNSET


class SignedUrl(Struct, frozen=True):
    """An address that may be used by anybody for a while: PUT the bytes as they are, or GET."""

    url: str


class TicketQuery(Struct):
    """What was signed."""

    ticket: Annotated[str, Meta(description="As the address was given.")] = ""


read_key = msgspec.json.Decoder(Key)


def no_store() -> Uncaught:
    return Uncaught("Error", "S3 config is not set")


@routes.get("/api/attachment/list", MAILBOX, returns=KeyList)
async def list_attachments(call: Call) -> KeyList:
    """The names of the attachments that the mailbox saved."""
    try:
        keys = await call.services.files.listed(call.address)
    except NoStore:
        raise no_store() from None
    return KeyList([KeyRow(key) for key in keys] or UNSET)


async def signed(call: Call, method: str) -> SignedUrl:
    """An address for the attachment that the body names."""
    asked = await call.json(read_key)
    try:
        url = await call.services.files.url(
            call.principal,
            method,
            asked.key,
            base=base_url(call.scheme, call.header(b"host") or ""),
        )
    except NoStore:
        raise no_store() from None
    return SignedUrl(url)


@routes.post("/api/attachment/put_url", MAILBOX, body=Key, returns=SignedUrl)
async def put_url(call: Call) -> SignedUrl:
    """Where to PUT an attachment, as plain bytes, within the next minutes."""
    return await signed(call, "PUT")


@routes.post("/api/attachment/get_url", MAILBOX, body=Key, returns=SignedUrl)
async def get_url(call: Call) -> SignedUrl:
    """Where to GET an attachment within the next minutes."""
    return await signed(call, "GET")


@routes.post("/api/attachment/delete", MAILBOX, body=Key, returns=Success)
async def delete_attachment(call: Call) -> Success:
    """Delete an attachment; also a success when it was not there."""
    asked = await call.json(read_key)
    try:
        await call.services.files.delete(call.address, asked.key)
    except NoStore:
        raise no_store() from None
    return SUCCESS


@routes.add("PUT", LOCAL_PATH, OPEN, query=TicketQuery, returns=str, body_limit=WHOLE_FILE)
async def save_attachment(call: Call) -> Answer:
    """Save an attachment under a signed address of ours: the body is its bytes."""
    ticket = await call.services.files.proved(call.query.get("ticket", ""), "PUT")
    if (call.header(b"content-type") or "").lower().startswith("multipart/form-data"):
        # What a form wraps around a file would become a part of it.
        raise BadRequest("Send the bytes of the file as the body, not a form")
    await call.services.files.save(ticket, call.chunks())
    return Answer(b"", b"text/plain; charset=UTF-8")


@routes.get(LOCAL_PATH, OPEN, query=TicketQuery, **OCTETS)
async def fetch_attachment(call: Call) -> Response | Answer:
    """Fetch an attachment under a signed address of ours, to be saved and never shown."""
    ticket = await call.services.files.proved(call.query.get("ticket", ""), "GET")
    size, pieces = await call.services.files.load(ticket)
    headers = (named(ticket.key), (b"cache-control", b"no-store"), *SANDBOXED)
    if call.method == "HEAD":
        await pieces.aclose()
        return Answer(b"", b"application/octet-stream", headers=headers)
    answer = StreamingResponse(pieces, media_type="application/octet-stream")
    answer.raw_headers.extend(((b"content-length", b"%d" % size), *headers))
    return answer
