"""The list of all addresses as one file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.stored import CountedAddress
from mailbox_service.web.admin.addresses import address_row
from mailbox_service.web.answers import Answer, encode_json
from mailbox_service.web.downloads import SANDBOXED, named
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.slow_answers import ADMINISTRATORS, Download, whole

routes = Routes("admin addresses")

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
COLUMNS = (
    *("id", "name", "source_meta", "created_at", "updated_at", "mail_count", "send_count"),
    "expires_at",
)
# A spreadsheet takes a cell that begins so for a formula, and visitors choose their names.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AddressExportQuery(Struct):
    """Which form is wanted."""

    format: Annotated[str, Meta(description="csv (default) or jsonl, one object a line.")] = "csv"


@routes.get(
    "/admin/addresses/export",
    ADMIN,
    query=AddressExportQuery,
    returns=bytes,
    media_type="text/csv, application/x-ndjson",
)
async def export_addresses(call: Call) -> Answer | Response:
    """All addresses as one file, in the order of their ids, with what a list of them shows; no
    password and no token. In csv a name that a spreadsheet would take for a formula has an
    apostrophe before it."""
    form = call.query.get("format", "csv")
    if form not in MEDIA_TYPES:
        raise BadRequest(f"format is one of {', '.join(MEDIA_TYPES)}")
    headers = ((b"cache-control", b"no-store"), named(f"addresses.{form}"), *SANDBOXED)
    if call.method == "HEAD":
        return Answer(b"", MEDIA_TYPES[form].encode("ascii"), headers=headers)
    call.streams.check(ADMINISTRATORS)
    found = call.services.registering.every_address()
    pieces = as_csv(found) if form == "csv" else as_lines(found)
    answer = Download(call, whole(call.streams, pieces), MEDIA_TYPES[form], reader=ADMINISTRATORS)
    answer.raw_headers.extend(headers)
    return answer


async def as_lines(found: AsyncIterator[list[CountedAddress]]) -> AsyncIterator[bytes]:
    """One object a line."""
    async for some in found:
        yield b"".join(encode_json(address_row(one)) + b"\n" for one in some)


async def as_csv(found: AsyncIterator[list[CountedAddress]]) -> AsyncIterator[bytes]:
    """A line of names, and a line for each address (RFC 4180)."""
    yield csv_lines([COLUMNS])
    async for some in found:
        rows = (msgspec.to_builtins(address_row(one)) for one in some)
        yield csv_lines([[cell(row.get(column)) for column in COLUMNS] for row in rows])


def cell(value: object) -> str:
    """A value as a cell shows it; nothing is empty."""
    shown = "" if value is None else str(value)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as lines."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
