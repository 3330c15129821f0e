"""What an administrator watches: figures over time and the log of what was changed."""

from __future__ import annotations

from alembic.util import CommandError

revision = "0010_operations"
down_revision = "0009_agents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
