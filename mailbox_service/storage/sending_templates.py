"""Templates of the sending API: listed without their bodies, which may be long."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mailbox_service.storage.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One template. `body` is JSON of its bodies and variables, empty in lists."""

    template_id: str
    name: str
    subject: str
    tags: tuple[str, ...]
    archived: bool
    updated_at: int
    body: str = ""


LISTED = "template_id, name, subject, tags, archived, updated_at"

# What is there already keeps its place: an id belongs to whoever had it first.
ADD = """
INSERT INTO sending_templates (account, template_id, name, subject, tags, archived, body,
                               updated_at)
VALUES (:account, :template_id, :name, :subject, :tags, :archived, :body, :now)
ON CONFLICT (account, template_id) DO NOTHING
"""

CHANGE = """
UPDATE sending_templates
   SET template_id = :template_id, name = :name, subject = :subject, tags = :tags,
       archived = :archived, body = :body, updated_at = :now
 WHERE account = :account AND template_id = :old_id
   AND (template_id = :template_id OR NOT EXISTS (
        SELECT 1 FROM sending_templates WHERE account = :account AND template_id = :template_id))
"""

GET = f"""
SELECT {LISTED}, body FROM sending_templates WHERE account = :account AND template_id = :id
"""

LIST = f"SELECT {LISTED} FROM sending_templates WHERE account = :account ORDER BY name, id"

COUNT = "SELECT count(*) FROM sending_templates WHERE account = :account"

REMOVE = "DELETE FROM sending_templates WHERE account = :account AND template_id = :id"


def template_of(row: Row) -> StoredTemplate:
    template_id, name, subject, tags, archived, updated_at, *body = row
    return StoredTemplate(
        template_id, name, subject, tuple(json.loads(tags)), bool(archived), updated_at, *body
    )


def values_of(account: str, template: StoredTemplate) -> dict[str, object]:
    return {
        "account": account,
        "template_id": template.template_id,
        "name": template.name,
        "subject": template.subject,
        "tags": json.dumps(template.tags, ensure_ascii=False),
        "archived": int(template.archived),
        "body": template.body,
        "now": template.updated_at,
    }


async def add(tx: Transaction, account: str, template: StoredTemplate) -> bool:
    """Keep a new template; False when its id is taken."""
    return await tx.execute(ADD, values_of(account, template)) > 0


async def change(tx: Transaction, account: str, old_id: str, template: StoredTemplate) -> bool:
    """Change a template; False when it is not there or its new id is taken."""
    return await tx.execute(CHANGE, {**values_of(account, template), "old_id": old_id}) > 0


async def get(tx: Transaction, account: str, template_id: str) -> StoredTemplate | None:
    """One template with its bodies."""
    row = await tx.fetch_one(GET, {"account": account, "id": template_id})
    return None if row is None else template_of(row)


async def list_all(tx: Transaction, account: str) -> list[StoredTemplate]:
    """The templates of an account without their bodies, by name."""
    return [template_of(row) for row in await tx.fetch_all(LIST, {"account": account})]


async def count(tx: Transaction, account: str) -> int:
    """How many templates an account has."""
    row = await tx.fetch_one(COUNT, {"account": account})
    return 0 if row is None else int(row[0])


async def remove(tx: Transaction, account: str, template_id: str) -> bool:
    """Forget a template; False when it was not there."""
    return await tx.execute(REMOVE, {"account": account, "id": template_id}) > 0
