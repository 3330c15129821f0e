"""Mails of the integration endpoints as they are posted, under all their names (§12.2, §12.6).

One and several recipients have fields of their own at connectors; they are put together, each
address once. A text may hold several, divided by commas, or a JSON array.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mailbox_service.core.compose import Draft, NamedAddress
from mailbox_service.core.errors import BadAddress, MailError
from mailbox_service.core.sending_api import BadField, NotFetched
from mailbox_service.services.own_servers.mails import MOST_RECIPIENTS, Mail
from mailbox_service.services.own_servers.together import MOST_AT_ONCE
from mailbox_service.services.sending_api.composing import divided, one_file, person

Fields = Mapping[str, Any]

# Field of ours -> all names that it has.
TO = ("to", "to_address", "dynamic_to_address")
CC = ("cc", "cc_address", "cc_address_json")
BCC = ("bcc", "bcc_address", "bcc_address_json")
FROM = ("from", "from_address")
REPLY_TO = ("reply_to", "replyTo")
FILES = ("attachments", "multiple_attachments")
# A list of more is refused before anybody looks at its addresses.
LONGEST_LIST = 1_000
LONGEST_TEXT = 100_000


async def read_mail(fields: Any) -> Mail:
    """A mail out of the fields of a request. Raises BadField."""
    if not isinstance(fields, Mapping):
        raise BadField("emails", "Each email is an object")
    to, cc, bcc = (people(fields, names) for names in (TO, CC, BCC))
    subject = fields.get("subject")
    if not isinstance(subject, str):
        raise BadField("subject", "The field subject is required")
    html, text = text_of(fields, "html"), text_of(fields, "text")
    if html is None and text is None:
        raise BadField("text", "One of text and html is required")
    draft = Draft(
        sender=NamedAddress(""),
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=people(fields, REPLY_TO),
        subject=subject,
        text=text,
        html=html,
        attachments=tuple(
            [
                await one_file("attachments", one.copy(), no_url, inline=False)
                for one in files(fields)
            ]
        ),
    )
    try:
        recipients = draft.recipients()
    except BadAddress as error:
        raise BadField("to", error.detail) from None
    if not recipients:
        raise BadField("to", "At least one recipient is required")
    if len(recipients) > MOST_RECIPIENTS:
        raise BadField("to", f"More than {MOST_RECIPIENTS} recipients")
    authors = people(fields, FROM)
    if len(authors) > 1:
        raise BadField("from", "One address")
    return Mail(draft, authors[0] if authors else None)


async def read_mails(fields: Fields) -> list[Mail | MailError]:
    """The mails of a batch; one that cannot be read stands as what is wrong with it. Raises
    BadField when there is no batch."""
    items = array_of(fields.get("emails"))
    if not isinstance(items, list):
        raise BadField("emails", "A list of emails is required")
    if not 1 <= len(items) <= MOST_AT_ONCE:
        raise BadField("emails", f"1 to {MOST_AT_ONCE} emails")
    found: list[Mail | MailError] = []
    for item in items:
        try:
            found.append(await read_mail(item))
        except MailError as error:
            found.append(error)
    return found


def people(fields: Fields, names: tuple[str, ...]) -> tuple[NamedAddress, ...]:
    """The mailboxes of one kind, under all names of the field, each once. Raises BadField."""
    found: dict[str, NamedAddress] = {}
    for name in names:
        value = array_of(fields.get(name))
        if value is None or value == "":
            continue
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, str) or len(one) > LONGEST_TEXT:
                raise BadField(names[0], "An address or a list of addresses")
            for text in divided(one):
                read = person(names[0], text)
                found.setdefault(read.address, read)
        if len(found) > LONGEST_LIST:
            raise BadField(names[0], f"More than {MOST_RECIPIENTS} recipients")
    return tuple(found.values())


def array_of(value: Any) -> Any:
    """A value, or the array that a text of JSON holds."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            decoded = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
        return decoded if isinstance(decoded, list) else value
    return value


def text_of(fields: Fields, name: str) -> str | None:
    """One body. Raises BadField."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise BadField(name, f"{name} is a text")
    return value or None


def files(fields: Fields) -> list[dict[str, Any]]:
    """The files under both names: as a list of objects, or as name and content."""
    found: list[dict[str, Any]] = []
    for name in FILES:
        value = fields.get(name)
        value = array_of(value)
        if value is None or value == "":
            continue
        if isinstance(value, dict):
            listed: list[Any] = [{"filename": key, "content": it} for key, it in value.items()]
        elif isinstance(value, list):
            listed = value
        else:
            raise BadField("attachments", "A list of files, or an object of names and contents")
        for one in listed:
            if not isinstance(one, dict):
                raise BadField("attachments", "Each file is an object")
            if isinstance(one.get("content"), dict):  # {"a.pdf": {"content": …, "mimetype": …}}
                one = {**one["content"], "filename": one.get("filename")}
            blob = one.get("content")
            found.append(
                {
                    "filename": one.get("filename") or one.get("name"),
                    "fileblob": one.get("fileblob") if blob is None else blob,
                    "mimetype": one.get("mimetype") or one.get("content_type"),
                    "url": one.get("url"),
                }
            )
    return found


async def no_url(_: str) -> tuple[str, bytes]:
    """Files come with the request here."""
    raise NotFetched("send the content itself")
