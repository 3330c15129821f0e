"""More of the mailbox API."""

from __future__ import annotations

from alembic.util import CommandError

revision = "0013_mailboxes"
down_revision = "0012_queueing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
