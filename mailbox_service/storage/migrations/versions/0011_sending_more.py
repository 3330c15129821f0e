"""More of the sending API."""

from __future__ import annotations

from alembic.util import CommandError

revision = "0011_sending_more"
down_revision = "0010_operations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
