"""Fewer and smaller indexes: each is paid for by every message that is handed in."""

from __future__ import annotations

from alembic import op
from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0013_fewer_indexes"
down_revision = "0012_mailboxes"
branch_labels = None
depends_on = None

# Turns of recipients that have one, times of messages that wait for one. What is old is found by
# its id, since ids grow with time.
INDEXES = """
DROP INDEX recipients_due

DROP INDEX recipients_by_domain

DROP INDEX sending_events_by_time

CREATE INDEX recipients_due ON recipients (next_attempt_at, domain)
 WHERE next_attempt_at IS NOT NULL

CREATE INDEX recipients_by_domain ON recipients (domain, priority, next_attempt_at)
 WHERE next_attempt_at IS NOT NULL

DROP INDEX sending_messages_by_account

DROP INDEX sending_messages_by_created

DROP INDEX sending_messages_scheduled
"""

# Only INTEGER PRIMARY KEY is a row's place in the table; any other is an index more.
MESSAGES = """
ALTER TABLE sending_messages RENAME TO sending_messages_before

CREATE TABLE sending_messages (
    submission_id INTEGER PRIMARY KEY,
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
    archived_content_id BIGINT,
    traits TEXT
)

INSERT INTO sending_messages
SELECT submission_id, queue_id, account, username, sender, subject, fields, size, client_ip,
       created_at, scheduled_at, cancelled, archived_content_id, traits
  FROM sending_messages_before

DROP TABLE sending_messages_before
"""

MESSAGE_INDEXES = """
CREATE INDEX sending_messages_by_account ON sending_messages (account, created_at)

CREATE INDEX sending_messages_scheduled ON sending_messages (account, scheduled_at)
 WHERE scheduled_at IS NOT NULL
"""


def upgrade() -> None:
    """Make them anew."""
    define(INDEXES)
    if op.get_bind().dialect.name == "sqlite":
        define(MESSAGES)
    define(MESSAGE_INDEXES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
