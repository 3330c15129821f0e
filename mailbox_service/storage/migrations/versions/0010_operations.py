"""What an administrator watches: figures over time, the log of what was changed, and every try
of a webhook's post.

`figures.hour` counts hours since 1970, UTC. A post that is made again keeps its row:
`attempts_before` of its attempts belong to the times before, `restarted_at` is when it began anew.
"""

from __future__ import annotations

from alembic.util import CommandError

from mailbox_service.storage.migrations.dialect import define

revision = "0010_operations"
down_revision = "0009_agents"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE figures (
    hour BIGINT PRIMARY KEY,
    received BIGINT NOT NULL DEFAULT 0,
    sent BIGINT NOT NULL DEFAULT 0,
    deferred BIGINT NOT NULL DEFAULT 0,
    bounced BIGINT NOT NULL DEFAULT 0,
    addresses BIGINT NOT NULL DEFAULT 0
)

CREATE TABLE audit_log (
    id {LASTING_ID},
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    peer TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
)

CREATE TABLE webhook_attempts (
    id {LASTING_ID},
    post_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    answer TEXT NOT NULL
)

CREATE INDEX webhook_attempts_by_post ON webhook_attempts (post_id)

ALTER TABLE webhook_posts ADD COLUMN event TEXT NOT NULL DEFAULT 'mail'

ALTER TABLE webhook_posts ADD COLUMN attempts_before INTEGER NOT NULL DEFAULT 0

ALTER TABLE webhook_posts ADD COLUMN restarted_at BIGINT

CREATE INDEX webhook_posts_with_body ON webhook_posts (updated_at)
    WHERE next_attempt_at IS NULL AND content_id IS NOT NULL
"""


def upgrade() -> None:
    """Define them."""
    define(TABLES)


def downgrade() -> None:
    """The way back is the backup from before the upgrade."""
    raise CommandError("Restore the backup from before the upgrade.")
