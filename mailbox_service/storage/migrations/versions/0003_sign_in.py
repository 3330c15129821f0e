"""Passkeys, sign-in at providers, Telegram.

`sign_in_marks` holds digests of what may be used once: states that were given out, challenges
that were answered. A push is one mail to one chat: `next_attempt_at` says when its turn comes,
null when it is over; `steps_done` counts the calls of the Bot API that were answered.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0003_sign_in"
down_revision = "0002_accounts"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE sign_in_marks (
    digest TEXT PRIMARY KEY,
    ends_at BIGINT NOT NULL
)

CREATE INDEX sign_in_marks_by_end ON sign_in_marks (ends_at)

CREATE TABLE passkeys (
    id {LASTING_ID},
    user_id BIGINT NOT NULL,
    passkey_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    domain TEXT NOT NULL,
    credential TEXT NOT NULL,
    counter BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
)

CREATE INDEX passkeys_by_user ON passkeys (user_id, id)

CREATE TABLE telegram_bindings (
    id {LASTING_ID},
    telegram_user TEXT NOT NULL,
    address TEXT NOT NULL,
    address_id BIGINT NOT NULL,
    told INTEGER NOT NULL,
    bound_at BIGINT NOT NULL,
    UNIQUE (telegram_user, address)
)

CREATE INDEX telegram_bindings_by_address ON telegram_bindings (address)

CREATE TABLE telegram_languages (
    telegram_user TEXT PRIMARY KEY,
    language TEXT NOT NULL
)

CREATE TABLE telegram_updates (
    update_id BIGINT PRIMARY KEY,
    taken_at BIGINT NOT NULL
)

CREATE INDEX telegram_updates_by_time ON telegram_updates (taken_at)

CREATE TABLE telegram_pushes (
    id {LASTING_ID},
    chat TEXT NOT NULL,
    message_id BIGINT NOT NULL,
    global_push INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    steps_done INTEGER NOT NULL DEFAULT 0,
    next_attempt_at BIGINT,
    lease_holder TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    UNIQUE (chat, message_id, global_push)
)

CREATE INDEX telegram_pushes_by_turn ON telegram_pushes (next_attempt_at)
 WHERE next_attempt_at IS NOT NULL

CREATE INDEX telegram_pushes_waiting ON telegram_pushes (chat)
 WHERE next_attempt_at IS NOT NULL

CREATE INDEX telegram_pushes_over ON telegram_pushes (updated_at)
 WHERE next_attempt_at IS NULL
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
