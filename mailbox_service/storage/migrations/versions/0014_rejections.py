"""Messages that were held back are found without the rest: statistics say why they were."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0014_rejections"
down_revision = "0013_fewer_indexes"
branch_labels = None
depends_on = None

# Paid for by rejections alone, of which there are few.
INDEX = """
CREATE INDEX sending_events_rejected ON sending_events (account, at) WHERE kind = 'rejected'
"""


def upgrade() -> None:
    """Make it."""
    define(INDEX)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
