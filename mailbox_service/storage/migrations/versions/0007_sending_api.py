"""The sending API: accounts and what they own, what they sent, and what became of it.

`account` is empty for the operator's own, else the id of a subaccount. `sending_records` holds
what an account has few of and changes seldom (keys, users, domains, webhooks, lists), one JSON
document a row; what there can be millions of has tables of its own.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0007_sending_api"
down_revision = "0006_verdicts"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE sending_records (
    id {LASTING_ID},
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    lookup TEXT UNIQUE,
    value TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (kind, account, name)
)

CREATE TABLE sending_templates (
    id {LASTING_ID},
    account TEXT NOT NULL,
    template_id TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    tags TEXT NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (account, template_id)
)

CREATE TABLE suppressions (
    id {LASTING_ID},
    account TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    description TEXT NOT NULL,
    complaint TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    UNIQUE (account, target, reason)
)

CREATE INDEX suppressions_ending ON suppressions (expires_at) WHERE expires_at IS NOT NULL

CREATE TABLE sending_messages (
    submission_id BIGINT PRIMARY KEY,
    queue_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    username TEXT NOT NULL,
    sender TEXT NOT NULL,
    subject TEXT NOT NULL,
    fields TEXT NOT NULL,
    size BIGINT NOT NULL,
    client_ip TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    scheduled_at BIGINT,
    cancelled INTEGER NOT NULL DEFAULT 0,
    archived_content_id BIGINT
)

CREATE INDEX sending_messages_by_account ON sending_messages (account, created_at)

CREATE INDEX sending_messages_by_created ON sending_messages (created_at)

CREATE INDEX sending_messages_scheduled ON sending_messages (account, scheduled_at)
    WHERE scheduled_at IS NOT NULL AND cancelled = 0

CREATE TABLE sending_events (
    id {LASTING_ID},
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    submission_id BIGINT NOT NULL,
    username TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '{}'
)

CREATE INDEX sending_events_by_account ON sending_events (account, at)

CREATE INDEX sending_events_by_submission ON sending_events (submission_id)

CREATE INDEX sending_events_by_time ON sending_events (at)

CREATE TABLE sending_counts (
    account TEXT NOT NULL,
    day INTEGER NOT NULL,
    username TEXT NOT NULL,
    sender TEXT NOT NULL,
    last_ip TEXT NOT NULL DEFAULT '',
    octets BIGINT NOT NULL DEFAULT 0,
    processed BIGINT NOT NULL DEFAULT 0,
    delivered BIGINT NOT NULL DEFAULT 0,
    soft BIGINT NOT NULL DEFAULT 0,
    hard BIGINT NOT NULL DEFAULT 0,
    rejected BIGINT NOT NULL DEFAULT 0,
    spam BIGINT NOT NULL DEFAULT 0,
    unsubscribed BIGINT NOT NULL DEFAULT 0,
    opened BIGINT NOT NULL DEFAULT 0,
    clicked BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account, day, username, sender)
)

CREATE TABLE fetched_files (
    url_digest TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    fetched_at BIGINT NOT NULL,
    bytes {BYTES} NOT NULL
)

CREATE INDEX fetched_files_by_time ON fetched_files (fetched_at)
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
