"""Templates (sending-api §4)."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.api_values import plain_time
from mailbox_service.services.sending_api.paging import Page
from mailbox_service.services.sending_api.templates import (
    Template,
    TemplateAdd,
    TemplateEdit,
    TemplateId,
    TemplateSearch,
)
from mailbox_service.web.sending.rows import Row


def listed(one: Template) -> dict[str, Any]:
    """A template in a list. Its name goes by both official names."""
    return {
        "template_name": one.name,
        "name": one.name,
        "id": one.id,
        "subject": one.subject,
        "tags": one.tags,
        "is_archived": one.archived,
        "last_updated": plain_time(one.updated_at),
    }


def template(one: Template) -> dict[str, Any]:
    """A template, whole."""
    return {
        **listed(one),
        "html_body": one.body.html_body,
        "text_body": one.body.text_body,
        "template_variables": one.body.template_variables,
        "editor_code": one.body.editor_code,
    }


def deleted(template_id: str) -> str:
    """That it is done."""
    return f"Successfully deleted template '{template_id}'"


def templates(page: Page[Template]) -> dict[str, Any]:
    """A page of templates."""
    return {
        "continue_token": page.continue_token,
        "templates": [listed(one) for one in page.rows],
        "total_count": page.total,
        "total": page.total,
    }


ROWS = (
    Row("template/add", TemplateAdd, lambda api: api.templates.add, template),
    # A template may lose its last tag.
    Row("template/edit", TemplateEdit, lambda api: api.templates.edit, template,
        keeps=frozenset(("tags",))),
    Row("template/delete", TemplateId, lambda api: api.templates.delete, deleted),
    Row("template/search", TemplateSearch, lambda api: api.templates.search, templates,
        only_asks=True),
    Row("template/view", TemplateId, lambda api: api.templates.view, template, only_asks=True),
)  # fmt: skip
