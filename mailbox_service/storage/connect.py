"""Which engine a `database_url` names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailbox_service.storage.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from mailbox_service.storage.postgres import PostgresDatabase

FILE_NAME = "mailbox.db"


def connect(url: str, data_dir: Path) -> SqliteDatabase | PostgresDatabase:
    """The store at a URL; empty names a file in the data directory. Opens nothing yet.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user@host/name`. Raises
    ValueError with one line that may be shown: it holds no password.
    """
    if not url:
        return SqliteDatabase(data_dir / FILE_NAME)
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return SqliteDatabase(data_dir / rest[1:])  # an absolute path stays one
    if scheme in ("postgresql", "postgres") and separator:
        try:
            from mailbox_service.storage.postgres import PostgresDatabase
        except ImportError:
            raise ValueError(
                "database_url: for PostgreSQL do pip install mailbox-service[postgres] first"
            ) from None
        return PostgresDatabase(url)
    raise ValueError(
        f"database_url: {scheme!r} is no engine of ours; use sqlite:///file.db or "
        "postgresql://user:password@host/name"
    )
