"""A whole mailbox as one file."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.filenames import safe_filename
from mailbox_service.services.exporting import EXTENSIONS, FORMATS, MEDIA_TYPES, Format
from mailbox_service.web.answers import Answer
from mailbox_service.web.downloads import SANDBOXED, named
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.slow_answers import Download, whole

routes = Routes("export")


class ExportQuery(Struct):
    """Which form is wanted."""

    format: Annotated[
        str, Meta(description="mbox (default), jsonl, or eml: single messages in a ZIP.")
    ] = "mbox"


@routes.get(
    "/api/mails/export",
    MAILBOX,
    query=ExportQuery,
    returns=bytes,
    media_type=", ".join(MEDIA_TYPES.values()),
)
async def export_mails(call: Call) -> Answer | Response:
    """Every mail of the mailbox as one file, oldest first, while it is read: mbox for any mail
    program; jsonl, one object a line with marks and every octet; eml, a ZIP of the messages as
    they are. `mailbox import` reads each back."""
    wanted = call.query.get("format", "mbox")
    if wanted not in FORMATS:
        raise BadRequest(f"format is one of {', '.join(FORMATS)}")
    form: Format = wanted
    disposition = named(safe_filename(f"{call.address}.{EXTENSIONS[form]}"))
    headers = ((b"cache-control", b"no-store"), disposition, *SANDBOXED)
    if call.method == "HEAD":
        return Answer(b"", MEDIA_TYPES[form].encode("ascii"), headers=headers)
    call.streams.check(call.address)
    pieces = whole(call.streams, call.services.exporting.stream(call.address, form))
    answer = Download(call, pieces, MEDIA_TYPES[form], reader=call.address)
    answer.raw_headers.extend(headers)
    return answer
