"""Attachment store, imports.

`imported` says what became of each row of another deployment, so that taking it over again takes
nothing twice. `former_address_ids` are ids that tokens of that deployment carry, where the id was
somebody else's here already. `abandoned_files` are mailboxes that closed and whose files are still
to be removed.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0005_files"
down_revision = "0004_policies"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE imported (
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    old_id BIGINT NOT NULL,
    new_id BIGINT NOT NULL,
    PRIMARY KEY (source, kind, old_id)
)

CREATE TABLE former_address_ids (
    former_id BIGINT NOT NULL,
    address_id BIGINT NOT NULL,
    PRIMARY KEY (former_id, address_id)
)

CREATE TABLE abandoned_files (
    address TEXT PRIMARY KEY,
    address_id BIGINT NOT NULL
)
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
