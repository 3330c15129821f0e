"""Access policies, cleanup, lifetimes.

`daily_requests` counts by UTC day (days since 1970). `chores` are what one process does once a
day: the last day it was done, and a lease for whoever does it. `opened_batches` remembers under
which key addresses were opened together, so that asking again opens nothing twice.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0004_policies"
down_revision = "0003_sign_in"
branch_labels = None
depends_on = None

TABLES = """
CREATE INDEX addresses_by_end ON addresses (expires_at) WHERE expires_at IS NOT NULL

CREATE TABLE daily_requests (
    day BIGINT NOT NULL,
    client TEXT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (day, client)
)

CREATE TABLE chores (
    name TEXT PRIMARY KEY,
    day BIGINT NOT NULL,
    holder TEXT NOT NULL,
    lease_until BIGINT NOT NULL
)

CREATE TABLE cleanup_runs (
    id {LASTING_ID},
    kind TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    problem TEXT NOT NULL
)

CREATE TABLE opened_batches (
    batch_key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    address_ids TEXT NOT NULL,
    created_at BIGINT NOT NULL
)

CREATE INDEX opened_batches_by_created ON opened_batches (created_at)
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
