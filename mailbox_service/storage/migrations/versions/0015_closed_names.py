"""Names of addresses that were closed."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0015_closed_names"
down_revision = "0014_rejections"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE closed_names (
    address TEXT PRIMARY KEY,
    closed_at BIGINT NOT NULL
)

CREATE INDEX closed_names_by_time ON closed_names (closed_at)
"""


def upgrade() -> None:
    """Make the table."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
