"""Mail through servers that users name; mail that comes back; copies that tell of themselves;
short messages.

`integration_mails` waits for its server like the send queue for its own: a lease is a turn in
the future. The content goes with the last attempt, the row stays for a while to be asked about.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0008_integrations"
down_revision = "0007_sending_api"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE integration_mails (
    id {LASTING_ID},
    public_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    connection TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    content_id BIGINT,
    repeat_key TEXT,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    next_attempt_at BIGINT,
    lease_holder TEXT,
    updated_at BIGINT NOT NULL,
    sent_at BIGINT,
    error TEXT NOT NULL DEFAULT '',
    error_code TEXT NOT NULL DEFAULT '',
    response TEXT NOT NULL DEFAULT '',
    rejected TEXT NOT NULL DEFAULT '{}',
    UNIQUE (account, repeat_key)
)

CREATE INDEX integration_mails_due ON integration_mails (next_attempt_at)
    WHERE next_attempt_at IS NOT NULL

CREATE INDEX integration_mails_over ON integration_mails (updated_at)
    WHERE next_attempt_at IS NULL

CREATE TABLE returned_mails (
    id {LASTING_ID},
    recipient TEXT NOT NULL,
    next_look_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    content {BYTES} NOT NULL
)

CREATE INDEX returned_mails_due ON returned_mails (next_look_at)

ALTER TABLE sending_messages ADD COLUMN traits TEXT

CREATE TABLE tracked_copies (
    id {LASTING_ID},
    submission_id BIGINT NOT NULL,
    account TEXT NOT NULL,
    recipient TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    UNIQUE (submission_id, recipient)
)

CREATE INDEX tracked_copies_by_time ON tracked_copies (created_at)

CREATE TABLE tracked_links (
    submission_id BIGINT NOT NULL,
    place INTEGER NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (submission_id, place)
)

CREATE TABLE sms_messages (
    id {LASTING_ID},
    public_id TEXT NOT NULL UNIQUE,
    batch TEXT NOT NULL,
    account TEXT NOT NULL,
    username TEXT NOT NULL,
    sender TEXT NOT NULL,
    destination TEXT NOT NULL,
    content TEXT NOT NULL,
    units INTEGER NOT NULL,
    status TEXT NOT NULL,
    gateway TEXT NOT NULL,
    gateway_id TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    submitted_at BIGINT,
    updated_at BIGINT NOT NULL,
    next_attempt_at BIGINT,
    lease_holder TEXT
)

CREATE INDEX sms_messages_due ON sms_messages (next_attempt_at) WHERE next_attempt_at IS NOT NULL

CREATE INDEX sms_messages_by_account ON sms_messages (account, created_at)

CREATE INDEX sms_messages_by_batch ON sms_messages (batch)

CREATE INDEX sms_messages_by_destination ON sms_messages (destination, id)

CREATE INDEX sms_messages_by_gateway ON sms_messages (gateway_id) WHERE gateway_id <> ''

CREATE TABLE sms_received (
    id {LASTING_ID},
    public_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    username TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    content TEXT NOT NULL,
    gateway_id TEXT NOT NULL,
    received_at BIGINT NOT NULL
)

CREATE INDEX sms_received_by_account ON sms_received (account, received_at)

CREATE INDEX sms_received_by_gateway ON sms_received (gateway_id) WHERE gateway_id <> ''

CREATE TABLE sms_opt_outs (
    account TEXT NOT NULL,
    number TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, number)
)
"""


def upgrade() -> None:
    """Make the tables."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
