"""Templates: kept, searched, rendered (sending-api §4)."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.fuzzy import any_resembles
from mailbox_service.core.html_text import html_to_text
from mailbox_service.core.sending_api import BadField, Caller, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.paging import Page, Paging
from mailbox_service.services.sending_api.rendering import Rendering
from mailbox_service.storage import sending_templates
from mailbox_service.storage.database import Database
from mailbox_service.storage.sending_templates import StoredTemplate

LONGEST_ID = 64
LONGEST_NAME = 64
MOST_TAGS, LONGEST_TAG = 100, 200
MOST_TEMPLATES = 10_000
DEFAULT_PAGE, LARGEST_PAGE = 100, 1_000
# A template just read is taken for as long, so that a batch asks for it once.
KEPT_SECONDS = 2.0
KEPT_AT_MOST = 500
# Where HTML ends and a text begins to be derived from it; longer ones are cut there.
DERIVED_FROM = 1 << 20

_is_id = re.compile(r"[A-Za-z0-9_.:@ -]+").fullmatch


class TemplateFields(Struct, kw_only=True):
    """What a template consists of."""

    template_name: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    html_body: str | UnsetType = UNSET
    text_body: str | UnsetType = UNSET
    template_variables: dict[str, Any] | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    editor_code: Any = UNSET
    is_archived: bool | UnsetType = UNSET


class TemplateAdd(TemplateFields, kw_only=True):
    """A new template; without an id it gets one."""

    id: str = ""


class TemplateEdit(TemplateFields, kw_only=True):
    """Changes to a template; what is not said stays."""

    id: str
    new_id: str = ""


class TemplateId(Struct):
    """Which template."""

    id: str


class TemplateSearch(Struct, kw_only=True):
    """Which templates: those with any of the terms in name, tag, id or subject."""

    fuzzy_search: bool = False
    search_terms: list[str] = []
    tags: list[str] = []
    template_id: str = ""
    name: str = ""
    include_archived: bool = False
    sort_direction: str = "asc"
    page_size: int | None = None
    limit: int | None = None
    offset: int | None = None
    continue_token: str = ""


class Body(Struct, frozen=True, kw_only=True):
    """The part of a template that lists do not read."""

    html_body: str = ""
    text_body: str = ""
    template_variables: dict[str, Any] = {}
    editor_code: Any = None


@dataclass(frozen=True, slots=True)
class Template:
    """One template. `updated_at` is microseconds UTC."""

    id: str
    name: str
    subject: str
    tags: tuple[str, ...]
    archived: bool
    updated_at: int
    body: Body = field(default_factory=Body)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message out of a template; a body is None when the template has none."""

    subject: str
    html: str | None
    text: str | None


read_body = msgspec.json.Decoder(Body)


def template_of(stored: StoredTemplate) -> Template:
    return Template(
        stored.template_id,
        stored.name,
        stored.subject,
        stored.tags,
        stored.archived,
        stored.updated_at,
        read_body.decode(stored.body) if stored.body else Body(),
    )


def stored_of(template: Template) -> StoredTemplate:
    return StoredTemplate(
        template.id,
        template.name,
        template.subject,
        template.tags,
        template.archived,
        template.updated_at,
        msgspec.json.encode(template.body).decode(),
    )


class Templates:
    """The templates of all accounts."""

    def __init__(
        self, database: Database, rendering: Rendering, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._rendering = rendering
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[Template, float]] = {}

    async def add(self, caller: Caller, form: TemplateAdd) -> Template:
        """A new template. Raises Refusal when its id is taken."""
        if form.template_name is UNSET or not form.template_name.strip():
            raise BadField("template_name", "Required")
        if not (form.html_body or form.text_body):
            raise BadField("html_body", "Required unless there is a text_body")
        blank = Template(form.id or secrets.token_hex(12), "", "", (), False, 0)
        template = await self._changed(blank, form)
        if await self._database.read(sending_templates.count, caller.account) >= MOST_TEMPLATES:
            raise Refusal(f"There are {MOST_TEMPLATES} templates already")
        if not await self._database.write(
            sending_templates.add, caller.account, stored_of(template)
        ):
            raise Refusal(f"There is a template with the id {template.id!r} already")
        return template

    async def edit(self, caller: Caller, form: TemplateEdit) -> Template:
        """Change what the request says."""
        before = await self._one(caller.account, form.id)
        template = await self._changed(before, form, new_id=form.new_id)
        changed = await self._database.write(
            sending_templates.change, caller.account, before.id, stored_of(template)
        )
        self._kept.clear()
        if not changed:
            raise Refusal(f"There is a template with the id {template.id!r} already")
        return template

    async def delete(self, caller: Caller, form: TemplateId) -> str:
        """Forget a template; its id."""
        removed = await self._database.write(sending_templates.remove, caller.account, form.id)
        self._kept.clear()
        if not removed:
            raise no_template(form.id)
        return form.id

    async def view(self, caller: Caller, form: TemplateId) -> Template:
        """One template, whole."""
        return await self._one(caller.account, form.id)

    async def search(self, caller: Caller, form: TemplateSearch) -> Page[Template]:
        """A page of templates without their bodies, by name."""
        paging = Paging.read(form, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        rows = await self._database.read(sending_templates.list_all, caller.account)
        if form.fuzzy_search:
            chosen = await asyncio.to_thread(lambda: [row for row in rows if fits(row, form)])
        else:
            chosen = [row for row in rows if fits(row, form)]
        found = [template_of(row) for row in chosen]
        if form.sort_direction.lower() == "desc":
            found.reverse()
        return paging.of(found)

    def close(self) -> None:
        """End the thread that renders."""
        self._rendering.close()

    async def render(
        self, account: str, template_id: str, data: Mapping[str, Any], subject: str | None
    ) -> Rendered:
        """A message out of a template: its variables are defaults, `data` comes over them by
        key; `subject` is for a template that has none. Raises Refusal, BadField."""
        key = (account, template_id)
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(key)
        if kept is not None and kept[1] > now:
            template = kept[0]
        else:
            template = await self._one(account, template_id)
            if len(self._kept) >= KEPT_AT_MOST:
                self._kept.clear()
            self._kept[key] = (template, now + KEPT_SECONDS)
        parts = parts_of(template)
        values = {**template.body.template_variables, **data}
        texts = await self._rendering.render(parts, values) if parts else {}
        return Rendered(
            texts.get("subject", "") if template.subject else subject or "",
            texts.get("html_body"),
            texts.get("text_body"),
        )

    async def _one(self, account: str, template_id: str) -> Template:
        found = None
        if len(template_id) <= LONGEST_ID:
            found = await self._database.read(sending_templates.get, account, template_id)
        if found is None:
            raise no_template(template_id)
        return template_of(found)

    async def _changed(self, before: Template, form: TemplateFields, new_id: str = "") -> Template:
        """A template with what a form says, judged whole. Raises BadField."""
        told = {
            name: getattr(form, name)
            for name in ("html_body", "text_body", "template_variables", "editor_code")
            if getattr(form, name) is not UNSET
        }
        body = msgspec.structs.replace(before.body, **told)
        if body.html_body and not body.text_body and form.html_body is not UNSET:
            derived = await asyncio.to_thread(html_to_text, body.html_body[:DERIVED_FROM])
            try:
                await self._rendering.check({"text_body": ("plain", derived)})
                body = msgspec.structs.replace(body, text_body=derived)
            except BadField:
                pass  # a block began in one tag and ended in another: it has no text form
        template = Template(
            id=new_id or before.id,
            name=before.name if form.template_name is UNSET else form.template_name.strip(),
            subject=before.subject if form.subject is UNSET else form.subject,
            tags=before.tags if form.tags is UNSET else tuple(dict.fromkeys(form.tags)),
            archived=before.archived if form.is_archived is UNSET else form.is_archived,
            updated_at=self._clock(),
            body=body,
        )
        check(template)
        await self._rendering.check(parts_of(template))
        return template


def check(template: Template) -> None:
    """Raises BadField for an id, a name or tags that cannot be kept."""
    if not 5 <= len(template.id) <= LONGEST_ID or not _is_id(template.id):
        raise BadField("id", "5 to 24 letters, digits or -_.")
    if not 1 <= len(template.name) <= LONGEST_NAME:
        raise BadField("template_name", f"1 to {LONGEST_NAME} characters")
    if len(template.tags) > MOST_TAGS or any(len(one) > LONGEST_TAG for one in template.tags):
        raise BadField("tags", f"At most {MOST_TAGS}, each of at most {LONGEST_TAG} characters")


def parts_of(template: Template) -> dict[str, tuple[str, str]]:
    """What there is to render: HTML with escaping, the rest without (§4.1)."""
    parts = {}
    if template.subject:
        parts["subject"] = ("plain", template.subject)
    if template.body.html_body:
        parts["html_body"] = ("html", template.body.html_body)
    if template.body.text_body:
        parts["text_body"] = ("plain", template.body.text_body)
    return parts


def fits(row: StoredTemplate, form: TemplateSearch) -> bool:
    """Whether a search finds a template."""
    if row.archived and not form.include_archived:
        return False
    if form.template_id and row.template_id != form.template_id:
        return False
    if form.name and row.name != form.name:
        return False
    if form.tags and not set(form.tags) & set(row.tags):
        return False
    if not form.search_terms:
        return True
    texts = [row.name, row.template_id, row.subject, *row.tags]
    if form.fuzzy_search:
        return any_resembles(form.search_terms, texts)
    texts = [text.lower() for text in texts]
    return any(term.lower() in text for term in form.search_terms for text in texts)


def no_template(template_id: str) -> Refusal:
    return Refusal(f"There is no template with the id {template_id[:LONGEST_ID]!r}")
