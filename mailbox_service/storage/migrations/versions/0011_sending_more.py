"""More of the sending API: e-mails that were accepted before their files came."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0011_sending_more"
down_revision = "0010_operations"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE accepted_emails (
    id {LASTING_ID},
    queue_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    request {BYTES} NOT NULL,
    due_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
)

CREATE INDEX accepted_emails_due ON accepted_emails (next_attempt_at)

CREATE INDEX accepted_emails_by_account ON accepted_emails (account)
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
