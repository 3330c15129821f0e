"""More of mailboxes: the keywords of each."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0012_mailboxes"
down_revision = "0011_sending_more"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE keywords (
    address TEXT NOT NULL,
    flag INTEGER NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    PRIMARY KEY (address, flag)
)

CREATE UNIQUE INDEX keywords_by_word ON keywords (address, folded)
"""


def upgrade() -> None:
    """Make the table."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
