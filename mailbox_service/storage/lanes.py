"""The lanes of a queue: who is waited for, each once, however many rows wait for them."""

from __future__ import annotations

# A loose index scan: each step finds the next name by one seek. Neither engine makes one of
# DISTINCT; it walks over every row that waits.
_WAITING = """
WITH RECURSIVE lanes (name) AS (
    SELECT min({column}) FROM {table} WHERE next_attempt_at IS NOT NULL AND {column} > :after
     UNION ALL
    SELECT (SELECT min({column}) FROM {table}
             WHERE next_attempt_at IS NOT NULL AND {column} > lanes.name)
      FROM lanes WHERE lanes.name IS NOT NULL)
SELECT name FROM lanes WHERE name IS NOT NULL LIMIT :limit
"""


def waiting(table: str, column: str) -> str:
    """The query for the names in a column, behind `:after` and `:limit` of them at most, that rows
    with a next attempt have. An index on the column serves it."""
    return _WAITING.format(table=table, column=column)
