"""Tools for a mailbox: open one, wait for a mail and its code, read, search, delete, close."""

from __future__ import annotations

import asyncio
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from mailbox_service.core.errors import NotFound, NotYours
from mailbox_service.core.lifetime import LONGEST
from mailbox_service.core.parsing import parse
from mailbox_service.core.stored import Excerpt, Filters, StoredMessage
from mailbox_service.core.texts import text
from mailbox_service.web.agents.rows import NOTICE, AgentMail, agent_mail, opened_mail
from mailbox_service.web.agents.tool import Hints, Tool, Visit
from mailbox_service.web.request import LARGEST_ID
from mailbox_service.web.rows import wire_time

LARGEST_PAGE = 50
MOST_DELETED = 500
# Client libraries give a call up after 60 seconds, and proxies after as many.
LONGEST_WAIT = 50
DEFAULT_WAIT = 30
# Some 2,500 words; agents pay by the word, and ask for more when they need it.
DEFAULT_TEXT, LONGEST_TEXT = 10_000, 100_000

AddressText = Annotated[
    str,
    Meta(
        max_length=320,
        description="The address of the mailbox. May be left out when only one is open.",
    ),
]
Words = Annotated[str, Meta(max_length=1_000)]
MailId = Annotated[int, Meta(ge=1, lt=LARGEST_ID, description="The id of a mail.")]
Page = Annotated[int, Meta(ge=1, le=LARGEST_PAGE, description="How many, at most.")]
BeforeId = Annotated[
    Annotated[int, Meta(ge=1, lt=LARGEST_ID)] | None,
    Meta(description="Only mails before this id: the next page of a list."),
]


class OpenAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wishes for a new address."""

    name: Annotated[
        str, Meta(max_length=64, description="The part before the @. Left out: a random one.")
    ] = ""
    domain: Annotated[
        str, Meta(max_length=253, description="One of this server's domains. Left out: any.")
    ] = ""
    expires_in: Annotated[
        Annotated[int, Meta(ge=1, le=LONGEST)] | None,
        Meta(description="Seconds after which it closes. Left out: never."),
    ] = None
    with_token: Annotated[
        bool, Meta(description="Also give the token that opens this one mailbox elsewhere.")
    ] = False


class OpenedAddress(Struct, frozen=True, kw_only=True):
    """An opened address. `token` proves it to the HTTP API, to mail programs and here."""

    address: str
    expires_at: str | None
    token: str | UnsetType = UNSET


class ListAddresses(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many addresses to list."""

    limit: Page = 20


class OneAddress(Struct, frozen=True):
    """An open address."""

    address: str
    opened_at: str
    expires_at: str | None


class Addresses(Struct, frozen=True):
    """Open addresses, newest first."""

    addresses: list[OneAddress]


class Wait(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which mail to wait for, and how long."""

    address: AddressText = ""
    from_: Annotated[Words, Meta(description="Part of the sender.")] = ""
    subject: Annotated[Words, Meta(description="Part of the subject.")] = ""
    contains: Annotated[Words, Meta(description="Part of sender, subject or text.")] = ""
    with_code: Annotated[bool, Meta(description="Only a mail with a verification code.")] = False
    after_id: Annotated[
        Annotated[int, Meta(ge=0, lt=LARGEST_ID)] | None,
        Meta(description="Any mail behind this id, read or not. Left out: unread mail."),
    ] = None
    timeout_seconds: Annotated[
        int, Meta(ge=0, le=LONGEST_WAIT, description="0: look once and do not wait.")
    ] = DEFAULT_WAIT


class Waited(Struct, frozen=True):
    """The mail that came; null when the time passed first: call again to go on waiting."""

    notice: str
    mail: AgentMail | None


class ListMails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a mailbox."""

    address: AddressText = ""
    limit: Page = 20
    before_id: BeforeId = None
    unread_only: bool = False


class SearchMails(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """What to look for."""

    query: Annotated[Words, Meta(description="In sender, recipients, subject or text.")] = ""
    address: AddressText = ""
    from_: Annotated[Words, Meta(description="Part of the sender.")] = ""
    subject: Annotated[Words, Meta(description="Part of the subject.")] = ""
    limit: Page = 20
    before_id: BeforeId = None


class Mails(Struct, frozen=True):
    """Mails, newest first. `next_before_id` leads to the next page; null on the last."""

    notice: str
    mails: list[AgentMail]
    count: int
    unread: int
    next_before_id: int | None


class ReadMail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which mail."""

    id: MailId
    address: AddressText = ""
    max_characters: Annotated[
        int, Meta(ge=0, le=LONGEST_TEXT, description="Of the text; what is more is left out.")
    ] = DEFAULT_TEXT


class OneMail(Struct, frozen=True):
    """One mail with its text."""

    notice: str
    mail: AgentMail


class DeleteMails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which mails."""

    ids: Annotated[list[MailId], Meta(min_length=1, max_length=MOST_DELETED)]
    address: AddressText = ""


class Deleted(Struct, frozen=True):
    """How many mails are gone now that were there before."""

    deleted: int


class CloseAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which address; it must be said."""

    address: Annotated[str, Meta(min_length=3, max_length=320)]


class Closed(Struct, frozen=True):
    """The address that is closed."""

    closed: str


async def open_address(visit: Visit, form: OpenAddress) -> OpenedAddress:
    """Open a new e-mail address. It works at once, and is yours until you close it."""
    opened = await visit.agents.open(
        visit.agent, name=form.name, domain=form.domain or None, lifetime=form.expires_in
    )
    ends = await visit.services.registering.end_of(opened.address_id)
    return OpenedAddress(
        address=opened.address,
        expires_at=None if ends is None else wire_time(ends),
        token=opened.jwt if form.with_token else UNSET,
    )


async def list_addresses(visit: Visit, form: ListAddresses) -> Addresses:
    """List the e-mail addresses that are yours, newest first."""
    rows = await visit.agents.addresses(visit.agent, limit=form.limit)
    return Addresses(
        [
            OneAddress(
                row.name,
                wire_time(row.created_at),
                None if row.expires_at is None else wire_time(row.expires_at),
            )
            for row in rows
        ]
    )


async def wait_for_mail(visit: Visit, form: Wait) -> Waited:
    """Wait for a mail, and get it with its text, verification codes and links. It is the oldest
    unread mail that fits, also one that came before the call; it is marked as read, so that the
    next call gives the next one."""
    owner = await visit.mailbox(form.address)
    wanted = Filters(
        q=form.contains.replace("\0", ""),
        sender=form.from_.replace("\0", ""),
        subject=form.subject.replace("\0", ""),
        unread=form.after_id is None,
        codes=form.with_code,
    )
    with visit.streams.one_more(owner.address):
        message = await visit.streams.unless_closed(
            first_mail(visit, owner.address, owner.address_id, form, wanted),
            visit.until_left() if visit.until_left else None,
        )
    if message is None:
        return Waited(NOTICE, None)
    mail = await read(visit, owner.address, message.id, DEFAULT_TEXT)
    return Waited(NOTICE, mail)


async def first_mail(
    visit: Visit, address: str, registration: int, form: Wait, wanted: Filters
) -> StoredMessage | None:
    """The first mail that fits, waiting for it; None when the time is over."""
    following = visit.services.following
    loop = asyncio.get_running_loop()
    deadline = loop.time() + form.timeout_seconds
    while True:
        left = max(0.0, deadline - loop.time())
        found = await following.wait(
            address,
            after_id=form.after_id or 0,
            filters=wanted,
            seconds=0.0 if visit.look_seconds else left,
            registration=registration,
        )
        if found is not None or not visit.look_seconds or not left:
            return found
        await visit.pause()


async def list_mails(visit: Visit, form: ListMails) -> Mails:
    """List the mails of a mailbox, newest first, without their texts."""
    owner = await visit.mailbox(form.address)
    wanted = Filters(unread=form.unread_only)
    return await page(visit, owner.address, form.limit, form.before_id, wanted)


async def search_mails(visit: Visit, form: SearchMails) -> Mails:
    """Find mails by words in sender, subject or text, newest first."""
    owner = await visit.mailbox(form.address)
    wanted = Filters(
        q=form.query.replace("\0", ""),
        sender=form.from_.replace("\0", ""),
        subject=form.subject.replace("\0", ""),
    )
    return await page(visit, owner.address, form.limit, form.before_id, wanted)


async def page(
    visit: Visit, address: str, limit: int, before_id: int | None, wanted: Filters
) -> Mails:
    """A page of a mailbox."""
    found = await visit.services.reading.page(
        address,
        Excerpt(limit, before_id=before_id, filters=wanted),
        unread_counted=True,
        touch=True,
    )
    full = len(found.messages) == limit
    return Mails(
        NOTICE,
        [agent_mail(message) for message in found.messages],
        found.count,
        found.unread,
        found.messages[-1].id if full else None,
    )


async def read_mail(visit: Visit, form: ReadMail) -> OneMail:
    """Read one mail: its text, codes, links and the names of its attachments. It is marked as
    read."""
    owner = await visit.mailbox(form.address)
    return OneMail(NOTICE, await read(visit, owner.address, form.id, form.max_characters))


async def read(visit: Visit, address: str, mail_id: int, most: int) -> AgentMail:
    """A mail with its text, marked as read. Raises NotFound."""
    found = await visit.services.reading.content(address, mail_id)
    if found is None:
        raise NotFound("There is no such mail")
    message, raw = found
    mail = await asyncio.to_thread(lambda: opened_mail(message, parse(raw), most))
    await visit.services.reading.mark(address, [mail_id], seen=True)
    return mail


async def delete_mails(visit: Visit, form: DeleteMails) -> Deleted:
    """Delete mails for good."""
    owner = await visit.mailbox(form.address)
    check_deletion(visit)
    return Deleted(await visit.services.reading.delete(owner.address, form.ids))


async def close_address(visit: Visit, form: CloseAddress) -> Closed:
    """Give an address up for good, with all its mail. Mail for it is refused from then on."""
    owner = await visit.mailbox(form.address)
    check_deletion(visit)
    await visit.services.registering.close(owner.address_id, owner.address)
    return Closed(owner.address)


def check_deletion(visit: Visit) -> None:
    """Raises NotYours where owners may delete nothing."""
    if not visit.config.enable_user_delete_email:
        key = "UserDeleteEmailDisabledMsg"
        raise NotYours(text(key), message_key=key)


READS = Hints(reads_only=True)
DESTROYS = Hints(destroys=True, repeats_alike=True)

TOOLS: tuple[Tool, ...] = (
    # A minute of a busy test suite; each stays until somebody closes it.
    Tool("open_address", "Open an address", OpenAddress, open_address, 30, result=OpenedAddress),
    Tool(
        "list_addresses",
        "List my addresses",
        ListAddresses,
        list_addresses,
        120,
        READS,
        result=Addresses,
    ),
    Tool("wait_for_mail", "Wait for a mail", Wait, wait_for_mail, 120, result=Waited),
    Tool("list_mails", "List mails", ListMails, list_mails, 120, READS, result=Mails),
    Tool("search_mails", "Search mails", SearchMails, search_mails, 60, READS, result=Mails),
    Tool("read_mail", "Read a mail", ReadMail, read_mail, 120, result=OneMail),
    Tool("delete_mails", "Delete mails", DeleteMails, delete_mails, 60, DESTROYS, result=Deleted),
    Tool(
        "close_address",
        "Close an address",
        CloseAddress,
        close_address,
        30,
        DESTROYS,
        result=Closed,
    ),
)
