"""Access policies, cleanup, lifetimes."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0004_policies"
down_revision = "0003_sign_in"
branch_labels = None
depends_on = None

TABLES = """
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
