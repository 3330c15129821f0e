"""Bring the schema of a store up to date, once, at start.

Alembic costs most of a second to import, so it is imported only when there is something to do.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

FOLDER = Path(__file__).parent / "migrations"


class SchemaTooNew(Exception):
    """The store was written by a newer release than this one."""


def newest() -> str:
    """The revision that this release needs: the last file of the folder."""
    return max(file.stem for file in (FOLDER / "versions").glob("[0-9]*.py"))


def upgrade(url: str) -> None:
    """Run the migrations that the store at an SQLAlchemy URL (synchronous driver) lacks."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            upgrade_connection(connection)
    finally:
        engine.dispose()


def upgrade_connection(connection: sqlalchemy.Connection) -> None:
    """Run the migrations that the store behind a connection lacks. Raises SchemaTooNew."""
    current = current_revision(connection)
    if current == newest():
        return
    if current is not None and current > newest():
        raise SchemaTooNew(
            f"This store has schema {current}, and this release knows {newest()} at most: "
            "install the newer release again, or restore a backup from before the upgrade."
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def current_revision(connection: sqlalchemy.Connection) -> str | None:
    """The revision of a store; None for an empty one."""
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
