"""The queue, arranged for speed."""

from __future__ import annotations

from alembic.util import CommandError

revision = "0012_queueing"
down_revision = "0011_sending_more"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
