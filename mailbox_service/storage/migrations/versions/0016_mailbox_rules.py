"""What the later rules of mailboxes keep."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0016_mailbox_rules"
down_revision = "0015_closed_names"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE summaries ADD COLUMN code_marks TEXT NOT NULL DEFAULT '[]'

ALTER TABLE messages ADD COLUMN revision INTEGER NOT NULL DEFAULT 0

CREATE TABLE owner_forwards (
    address TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    proved_at BIGINT NOT NULL,
    asked TEXT NOT NULL,
    code_mac TEXT NOT NULL,
    tries_left INTEGER NOT NULL,
    ends_at BIGINT NOT NULL
)

CREATE TABLE owner_forward_mails (
    name TEXT PRIMARY KEY,
    began_at BIGINT NOT NULL,
    mails INTEGER NOT NULL
)

CREATE INDEX owner_forward_mails_by_time ON owner_forward_mails (began_at)
"""


def upgrade() -> None:
    """Add what is missing."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
