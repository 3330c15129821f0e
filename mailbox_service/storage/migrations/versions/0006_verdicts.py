"""Verdicts on where mail comes from, one row a message by its id; and proofs of work that were
used up."""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0006_verdicts"
down_revision = "0005_files"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE verdicts (
    id BIGINT PRIMARY KEY,
    spf TEXT NOT NULL,
    dkim TEXT NOT NULL,
    dmarc TEXT NOT NULL,
    arc TEXT NOT NULL,
    results TEXT NOT NULL
)

CREATE TABLE solved_challenges (
    name TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
)

CREATE INDEX solved_challenges_by_expiry ON solved_challenges (expires_at)
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
