"""The first tables.

Times are microseconds UTC, booleans 0 or 1, JSON is text. `address` columns hold canonical
addresses (`core.address`), `name` the spelling that was registered. Mail, sent mail and
allowances belong to an address by its text, as in the mailbox API: mail that came before an
address was opened is there when it opens, and a transfer leaves it in place.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0001_first"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE addresses (
    id {LASTING_ID},
    address TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT,
    source_meta TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    tokens_from BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT
)

CREATE INDEX addresses_by_created ON addresses (created_at)

CREATE INDEX addresses_by_updated ON addresses (updated_at)

CREATE TABLE contents (
    id {ID},
    uses INTEGER NOT NULL,
    checksum BIGINT NOT NULL,
    packed INTEGER NOT NULL DEFAULT 0,
    bytes {BYTES} NOT NULL
)

CREATE TABLE messages (
    id {LASTING_ID},
    address TEXT NOT NULL,
    reverse_path TEXT NOT NULL,
    content_id BIGINT NOT NULL,
    size BIGINT NOT NULL,
    flags INTEGER NOT NULL DEFAULT 0,
    received_at BIGINT NOT NULL,
    metadata TEXT,
    quiet INTEGER NOT NULL DEFAULT 0
)

CREATE INDEX messages_by_address ON messages (address, id)

CREATE TABLE summaries (
    id BIGINT PRIMARY KEY,
    message_id TEXT,
    from_name TEXT NOT NULL,
    from_address TEXT NOT NULL,
    to_text TEXT NOT NULL,
    subject TEXT NOT NULL,
    preview TEXT NOT NULL,
    search_text TEXT NOT NULL,
    attachment_count INTEGER NOT NULL,
    codes TEXT NOT NULL,
    links TEXT NOT NULL
)

CREATE TABLE submissions (
    id {LASTING_ID},
    queue_id TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    reverse_path TEXT NOT NULL,
    content_id BIGINT NOT NULL,
    size BIGINT NOT NULL,
    door TEXT NOT NULL,
    message_id TEXT NOT NULL,
    from_address TEXT NOT NULL,
    subject TEXT NOT NULL,
    smtputf8 INTEGER NOT NULL DEFAULT 0,
    record TEXT,
    listed INTEGER NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL
)

CREATE INDEX submissions_by_address ON submissions (address, id)

CREATE INDEX submissions_unlisted ON submissions (id) WHERE listed = 0

CREATE TABLE recipients (
    id {LASTING_ID},
    submission_id BIGINT NOT NULL,
    recipient TEXT NOT NULL,
    domain TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL DEFAULT 0,
    queued_at BIGINT NOT NULL,
    next_attempt_at BIGINT,
    lease_holder TEXT,
    interrupted INTEGER NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL,
    remote TEXT,
    last_reply TEXT
)

CREATE INDEX recipients_by_submission ON recipients (submission_id)

CREATE INDEX recipients_due ON recipients (next_attempt_at, domain)
    WHERE next_attempt_at IS NOT NULL

CREATE INDEX recipients_by_domain ON recipients (domain, priority, next_attempt_at)
    WHERE next_attempt_at IS NOT NULL

CREATE INDEX recipients_held ON recipients (id) WHERE state = 'held'

CREATE TABLE attempts (
    id {LASTING_ID},
    recipient_id BIGINT NOT NULL,
    submission_id BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    remote TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reply TEXT NOT NULL,
    conversation TEXT NOT NULL
)

CREATE INDEX attempts_by_submission ON attempts (submission_id)

CREATE TABLE events (
    id {LASTING_ID},
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    address TEXT NOT NULL,
    submission_id BIGINT,
    recipient_id BIGINT,
    detail TEXT NOT NULL
)

CREATE INDEX events_by_address ON events (address, id)

CREATE TABLE allowances (
    id {LASTING_ID},
    address TEXT NOT NULL UNIQUE,
    balance BIGINT NOT NULL,
    enabled INTEGER NOT NULL,
    created_at BIGINT NOT NULL
)

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    version BIGINT NOT NULL DEFAULT 1,
    updated_at BIGINT NOT NULL
)

CREATE TABLE send_counts (
    period TEXT PRIMARY KEY,
    sent BIGINT NOT NULL
)

CREATE TABLE idempotency_keys (
    principal TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    submission_id BIGINT NOT NULL,
    queue_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal, idempotency_key)
)

CREATE INDEX idempotency_keys_by_created ON idempotency_keys (created_at)

CREATE TABLE dkim_keys (
    id {LASTING_ID},
    domain TEXT NOT NULL,
    selector TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    private_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (domain, selector)
)

CREATE TABLE auto_replies (
    address TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    source_prefix TEXT NOT NULL,
    name TEXT NOT NULL,
    updated_at BIGINT NOT NULL
)

CREATE TABLE auto_reply_counts (
    address TEXT NOT NULL,
    sender TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    replies BIGINT NOT NULL,
    PRIMARY KEY (address, sender)
)

CREATE TABLE webhook_settings (
    address TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    updated_at BIGINT NOT NULL
)

CREATE TABLE webhook_posts (
    id {LASTING_ID},
    webhook_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    message_id BIGINT NOT NULL,
    recipient TEXT NOT NULL,
    host TEXT NOT NULL,
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    headers TEXT NOT NULL,
    content_id BIGINT,
    size BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    next_attempt_at BIGINT,
    lease_holder TEXT,
    attempted_at BIGINT,
    updated_at BIGINT NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    answer TEXT NOT NULL DEFAULT ''
)

CREATE INDEX webhook_posts_due ON webhook_posts (host, next_attempt_at)
    WHERE next_attempt_at IS NOT NULL

CREATE INDEX webhook_posts_waiting ON webhook_posts (next_attempt_at)
    WHERE next_attempt_at IS NOT NULL

CREATE INDEX webhook_posts_over ON webhook_posts (updated_at) WHERE next_attempt_at IS NULL

CREATE INDEX webhook_posts_by_owner ON webhook_posts (owner, id)

CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    position BIGINT NOT NULL
)
"""


def upgrade() -> None:
    """Define them."""
    define(TABLES)


def downgrade() -> None:
    """There is nothing before the first tables."""
    raise CommandError("The first tables cannot be taken back.")
