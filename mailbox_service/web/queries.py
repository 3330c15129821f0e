"""The query parameters of lists, as the documentation shows them.

Handlers read queries leniently, as the contract wants (`request.Call`); these types say what a
client should send.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Limit = Annotated[int, Meta(ge=1, le=100, description="Rows of a page.")]
Offset = Annotated[int, Meta(ge=0, description="Rows before the page; 0 also counts them all.")]


class PageQuery(Struct):
    """A page of the contract: both are needed."""

    limit: Limit
    offset: Offset


class FilterFields(Struct, kw_only=True, rename={"from_": "from"}):
    """What a mail must have; texts are found anywhere, in any case."""

    q: Annotated[str, Meta(max_length=1000, description="In sender, subject or text.")] = ""
    from_: Annotated[str, Meta(max_length=1000, description="In the sender.")] = ""
    subject: Annotated[str, Meta(max_length=1000, description="In the subject.")] = ""
    after_id: Annotated[int | None, Meta(description="Only mails behind this id.")] = None
    since: Annotated[
        str,
        Meta(
            max_length=64,
            description="Only mails that came then or later: `2026-01-31`, `2026-01-31 23:59:59`, "
            "ISO 8601, or seconds since 1970; UTC unless it says otherwise.",
        ),
    ] = ""


class MailsQuery(FilterFields, kw_only=True, rename={"from_": "from"}):
    """A page of mails."""

    limit: Limit
    offset: Offset


class WaitQuery(FilterFields, kw_only=True, rename={"from_": "from"}):
    """Which mail to wait for."""

    unread: Annotated[int, Meta(ge=0, le=1, description="1: an unread mail only.")] = 0
    codes: Annotated[int, Meta(ge=0, le=1, description="1: a mail with a code only.")] = 0
    timeout: Annotated[int, Meta(ge=0, le=60, description="Seconds.")] = 30


class InboxQuery(FilterFields, kw_only=True, rename={"from_": "from"}):
    """Which light rows are wanted."""

    limit: Limit = 20
    before_id: Annotated[int | None, Meta(description="Only mails before this id.")] = None
    unread: Annotated[int, Meta(ge=0, le=1, description="1: unread mails only.")] = 0
    flagged: Annotated[int, Meta(ge=0, le=1, description="1: flagged mails only.")] = 0
    codes: Annotated[int, Meta(ge=0, le=1, description="1: mails with a code only.")] = 0


class OpenedQuery(Struct):
    """How to show a mail."""

    remote: Annotated[int, Meta(ge=0, le=1, description="1: keep references to the web.")] = 0


class SentQuery(Struct):
    """Which sent mails are wanted."""

    limit: Limit = 20
    before_id: Annotated[int | None, Meta(description="Only mails before this id.")] = None


class PostQuery(Struct):
    """Which posts are wanted."""

    limit: Limit = 20
    before_id: Annotated[int | None, Meta(description="Only posts before this id.")] = None


class RunQuery(Struct):
    """Which runs are wanted."""

    limit: Limit = 20
    before_id: Annotated[int | None, Meta(description="Only runs before this id.")] = None


class AddressPageQuery(PageQuery):
    """A page, of one address or of all."""

    address: Annotated[str, Meta(description="Exactly this address; empty: all.")] = ""


class AddressesQuery(PageQuery):
    """A page of addresses."""

    query: Annotated[str, Meta(description="Part of the address.")] = ""
    sort_by: Annotated[
        str,
        Meta(
            description="id, name, created_at, updated_at, source_meta, mail_count or send_count."
        ),
    ] = "id"
    sort_order: Annotated[str, Meta(description="ascend, or anything else.")] = "descend"


class BoundPageQuery(Struct):
    """A page of the addresses of an account."""

    limit: Limit = 20
    offset: Offset = 0
    query: Annotated[str, Meta(description="Part of the address.")] = ""


class AccountsQuery(PageQuery):
    """A page of accounts."""

    query: Annotated[str, Meta(description="Part of the e-mail.")] = ""


class AccountInboxQuery(FilterFields, kw_only=True, rename={"from_": "from"}):
    """Which light rows of an account are wanted."""

    address: Annotated[str, Meta(description="Exactly this address; empty: all.")] = ""
    limit: Limit = 20
    before_id: Annotated[int | None, Meta(description="Only mails before this id.")] = None
    unread: Annotated[int, Meta(ge=0, le=1, description="1: unread mails only.")] = 0
    flagged: Annotated[int, Meta(ge=0, le=1, description="1: flagged mails only.")] = 0
    codes: Annotated[int, Meta(ge=0, le=1, description="1: mails with a code only.")] = 0
