"""What was found in one mail for its reader: codes and links, how sure, and by which rule."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from mailbox_service.core.errors import NotFound
from mailbox_service.core.stored import StoredSummary
from mailbox_service.services.summarising import summary_of
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("inbox")


class ExtractedCode(Struct, frozen=True):
    """A code to type. `confidence` is 0 to 1. `rule`: `named` (a word for codes and `:` or `is`
    stand before it), `near` (such a word is around it), `alone` (on a line of its own in a mail
    whose subject speaks of a code), `subject` (within a line of such a mail), `model`."""

    code: str
    confidence: float
    rule: str


class ExtractedLink(Struct, frozen=True):
    """A link to press. `confidence` is 0 to 1. `rule` is what says that it confirms, resets or
    signs in: its `label`, its `address`, `both`, or a `model`."""

    url: str
    text: str
    host: str
    confidence: float
    rule: str


class Extracted(Struct, frozen=True):
    """What was found, the surest first; `code` and `link` are the best of their kind."""

    code: str | None
    codes: list[ExtractedCode]
    link: str | None
    links: list[ExtractedLink]


@routes.get("/api/mails/{id}/extracted", MAILBOX, returns=Extracted)
async def mail_extracted(call: Call) -> Extracted:
    """The codes and links of one mail, how sure each is, and by which rule it was found. Where a
    model is asked as well, its answer is here as soon as it came, seconds after the mail."""
    reading = call.services.reading
    mail_id = call.path_id()
    found = None if mail_id is None else await reading.one(call.address, mail_id)
    if found is None or mail_id is None:
        raise NotFound("There is no such mail")
    summary = found.summary
    if summary is None or not is_marked(summary):
        # It was read by a version that kept no marks.
        both = await reading.content(call.address, mail_id)
        if both is None:
            raise NotFound("There is no such mail")
        summary = await asyncio.to_thread(summary_of, both[1])
    return extracted(summary)


def is_marked(summary: StoredSummary) -> bool:
    """Whether confidence and rule of everything were written down."""
    codes_are = len(summary.code_marks) == len(summary.codes)
    return codes_are and all("confidence" in link for link in summary.links)


def extracted(summary: StoredSummary) -> Extracted:
    """The codes and links of a summary that is marked."""
    pairs = zip(summary.codes, summary.code_marks, strict=True)
    links = [
        ExtractedLink(one["url"], one["text"], one["host"], one["confidence"], one["rule"])
        for one in summary.links
    ]
    return Extracted(
        code=summary.codes[0] if summary.codes else None,
        codes=[ExtractedCode(code, mark["confidence"], mark["rule"]) for code, mark in pairs],
        link=links[0].url if links else None,
        links=links,
    )
