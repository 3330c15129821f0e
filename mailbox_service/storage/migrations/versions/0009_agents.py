"""Finds the addresses that were opened with one key of the sending API: their source is `key:`
and the key's public name."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0009_agents"
down_revision = "0008_integrations"
branch_labels = None
depends_on = None

INDEXES = """
CREATE INDEX addresses_by_key ON addresses (source_meta, id)
 WHERE substr(source_meta, 1, 4) = 'key:'
"""


def upgrade() -> None:
    """Make the index."""
    define(INDEXES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
