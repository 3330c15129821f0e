"""Accounts, the addresses that belong to them, and mailed codes.

An account is named by its e-mail as it was typed: case counts (mailbox-api §3.5). An address
belongs to one account at most. `ended_accounts` remembers the ids of deleted accounts, since
their access tokens outlive them by an hour; ids never return.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0002_accounts"
down_revision = "0001_first"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE users (
    id {LASTING_ID},
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT,
    role TEXT,
    user_info TEXT,
    source TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
)

CREATE TABLE ended_accounts (
    id BIGINT PRIMARY KEY,
    ended_at BIGINT NOT NULL
)

CREATE INDEX ended_accounts_by_time ON ended_accounts (ended_at)

CREATE TABLE user_addresses (
    id {LASTING_ID},
    user_id BIGINT NOT NULL,
    address_id BIGINT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
)

CREATE INDEX user_addresses_by_user ON user_addresses (user_id, address_id)

CREATE TABLE verify_codes (
    email TEXT PRIMARY KEY,
    code_mac TEXT NOT NULL,
    tries_left INTEGER NOT NULL,
    sent_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    counted_from BIGINT NOT NULL,
    sent INTEGER NOT NULL
)

CREATE INDEX verify_codes_by_end ON verify_codes (ends_at)
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
