"""A request of the sending API as a draft: people, header fields, files (§2.1, §2.3)."""

from __future__ import annotations

import asyncio
import binascii
import mimetypes
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from mailbox_service.core.address import canonical
from mailbox_service.core.api_values import LONGEST_MAILBOX, read_mailbox
from mailbox_service.core.compose import MAX_ATTACHMENTS, Attachment, Draft, NamedAddress
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.sending_api import BadField, NotFetched

MOST_IN_A_LIST = 100
# Fields that only the composer writes: asked for, they are refused.
FORBIDDEN = frozenset(("content-type", "content-transfer-encoding", "mime-version"))
# Fields that the request says elsewhere, or that carriers write: asked for, they are left out.
# The last two are what a client library leaks into its own list.
IGNORED = frozenset(
    (
        *("from", "to", "cc", "bcc", "subject", "date", "received", "dkim-signature"),
        *("return-path", "sender", "x-smtp2go-api", "x-smtp2go-api-version"),
    )
)
LARGEST_URL = 2_048

_controls = re.compile(r"[\x00-\x1f\x7f]").search
# One mailbox of a list, its name in quotes and its comments whole. A quote that nobody closes lasts
# to the end, so that no place is looked at twice.
_mailboxes = re.compile(
    r'(?:"(?:[^"\\]|\\.)*+"?|\((?:[^()\\]|\\.)*+\)|\\.|[^,])++', re.DOTALL
).findall
_is_message_id = re.compile(r"<[!-;=?-~]{1,400}@[!-;=?-~]{1,400}>").fullmatch
Fetch = Callable[[str], Awaitable[tuple[str, bytes]]]


class EmailForm(Struct, kw_only=True):
    """One e-mail as it is asked for."""

    sender: str
    to: list[str]
    cc: list[str] = []
    bcc: list[str] = []
    subject: str | None = None
    html_body: str | None = None
    text_body: str | None = None
    reply_to: list[str] = []
    custom_headers: Any = None
    attachments: list[dict[str, Any]] = []
    inlines: list[dict[str, Any]] = []
    template_id: str | None = None
    template_data: Any = None
    schedule: str | int | float | None = None
    fastaccept: bool = False
    version: int = 1


def with_own_files(form: EmailForm) -> EmailForm:
    """A form that may be used up while the one that it was made of is kept."""
    return replace(
        form,
        attachments=[file.copy() for file in form.attachments],
        inlines=[file.copy() for file in form.inlines],
    )


def people(field: str, texts: Sequence[str]) -> tuple[NamedAddress, ...]:
    """The mailboxes of one list, addresses canonical. Raises BadField."""
    if len(texts) > MOST_IN_A_LIST:
        raise BadField(field, f"More than {MOST_IN_A_LIST} addresses")
    return tuple(person(field, text) for text in texts)


def person(field: str, text: str) -> NamedAddress:
    """One mailbox. Raises BadField."""
    if _controls(text):
        raise BadField(field, "An address holds a control character")
    try:
        read = read_mailbox(text)
        return NamedAddress(canonical(read.address), read.name)
    except BadAddress as error:
        shown = text[:100] if len(text) <= LONGEST_MAILBOX else "…"
        raise BadField(field, f"Not an address: {shown!r} ({error.detail})") from None


def own_fields(value: Any) -> list[tuple[str, str]]:
    """`custom_headers`: a list of `{header, value}` or `{name, value}`, or an object. Raises
    BadField."""
    if value is None:
        return []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = []
        for one in value:
            if not isinstance(one, dict):
                raise BadField("custom_headers", "Each entry is an object of header and value")
            name = one.get("header")
            pairs.append((one.get("name") if name is None else name, one.get("value")))
    else:
        raise BadField("custom_headers", "A list of objects of header and value")
    fields = []
    for name, text in pairs:
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = str(text)
        if not isinstance(name, str) or not isinstance(text, str):
            raise BadField("custom_headers", "Each entry has a header and a value, both texts")
        if _controls(name) or _controls(text):
            raise BadField("custom_headers", "A header holds a control character")
        name = name.strip()
        if name.lower() in FORBIDDEN:
            raise BadField("custom_headers", f"The header {name} cannot be set")
        if name.lower() not in IGNORED:
            fields.append((name, text))
    return fields


async def files(
    attachments: Sequence[dict[str, Any]],
    inlines: Sequence[dict[str, Any]],
    fetch: Fetch,
) -> tuple[Attachment, ...]:
    """The files of a request, those from the web among them. The request is used up: the base64
    of each is given up before the next is decoded. Raises BadField."""
    if len(attachments) + len(inlines) > MAX_ATTACHMENTS:
        raise BadField("attachments", f"More than {MAX_ATTACHMENTS} files")
    found = [
        await one_file(field, one, fetch, inline=field == "inlines")
        for field, these in (("attachments", attachments), ("inlines", inlines))
        for one in these
    ]
    return tuple(found)


async def one_file(field: str, file: dict[str, Any], fetch: Fetch, *, inline: bool) -> Attachment:
    """One file: its bytes in base64, which are given up, or where they are."""
    name, blob, url = (file.get(key) or "" for key in ("filename", "fileblob", "url"))
    kind, cid = file.get("mimetype") or "", file.get("cid") or ""
    if not all(isinstance(one, str) for one in (name, blob, url, kind, cid)):
        raise BadField(field, "filename, fileblob, url, mimetype and cid are texts")
    if not name:
        raise BadField(field, "Each file has a filename")
    if _controls(name) or _controls(kind) or _controls(cid):
        raise BadField(field, "A file name, type or cid holds a control character")
    if bool(blob) == bool(url) and not ("fileblob" in file and not url):
        raise BadField(field, "Each file has either a fileblob or a url")
    if url:
        if len(url) > LARGEST_URL:
            raise BadField(field, f"The url is longer than {LARGEST_URL} characters")
        try:
            told, content = await fetch(url)
        except NotFetched as error:
            raise BadField(field, f"The file at the url was not fetched: {error}") from None
        kind = kind or (told if "/" in told else "")
    else:
        content = await decoded(field, blob)
        file["fileblob"] = ""
    kind = kind or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Attachment(
        filename=name,
        content=content,
        mime_type=kind,
        disposition="inline" if inline else "attachment",
        content_id=content_id(cid or name) if inline else "",
    )


async def decoded(field: str, blob: str) -> bytes:
    """Base64, line ends and a `data:` prefix forgiven. Raises BadField."""
    if blob.startswith("data:"):
        blob = blob.partition(",")[2]

    def work() -> bytes:
        try:
            return binascii.a2b_base64(blob, strict_mode=True)
        except binascii.Error:
            return binascii.a2b_base64("".join(blob.split()), strict_mode=True)

    try:
        return work() if len(blob) < 65_536 else await asyncio.to_thread(work)
    except (binascii.Error, ValueError):
        raise BadField(field, "A fileblob is not base64") from None


def content_id(text: str) -> str:
    """A Content-ID that `cid:` followed by this text finds (RFC 2392 §2)."""
    return quote(text.strip("<>"), safe="!#$&'*+-/=?^_`{|}~.@:;,()[]%")


def draft_of(
    form: EmailForm,
    *,
    sender: NamedAddress,
    subject: str,
    html: str | None,
    text: str | None,
    attachments: tuple[Attachment, ...],
    more_fields: tuple[tuple[str, str], ...] = (),
) -> tuple[Draft, str]:
    """The draft, and the Message-ID that its author wants, empty for one of ours."""
    reply_to = people("reply_to", form.reply_to)
    message_id = in_reply_to = references = ""
    kept: list[tuple[str, str]] = []
    for name, value in own_fields(form.custom_headers):
        lower = name.lower()
        if lower == "reply-to":
            reply_to = people("custom_headers", divided(value))
        elif lower == "message-id":
            message_id = value.strip() if _is_message_id(value.strip()) else ""
        elif lower == "in-reply-to":
            in_reply_to = value
        elif lower == "references":
            references = value
        else:
            kept.append((name, value))
    draft = Draft(
        sender=sender,
        to=people("to", form.to),
        cc=people("cc", form.cc),
        bcc=people("bcc", form.bcc),
        reply_to=reply_to,
        subject=subject,
        text=text,
        html=html,
        attachments=attachments,
        in_reply_to=in_reply_to,
        references=(references,) if references else (),
        headers=(*kept, *more_fields),
        inline_with_html=form.version != 2,
    )
    return draft, message_id


def divided(text: str) -> list[str]:
    """The mailboxes of a list that commas divide, those in quotes and comments aside."""
    return [one.strip() for one in _mailboxes(text) if one.strip()]
