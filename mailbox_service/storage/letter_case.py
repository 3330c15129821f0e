"""Comparing without regard to upper and lower case, in any alphabet.

`lower()` of SQLite knows the letters of ASCII alone, and that of PostgreSQL those of the locale
that the database was made with. So what else a pattern has is replaced by name.
"""

from __future__ import annotations

import re

# Letters of one pattern that are looked after. SQLite reads no more than some twenty-five calls
# within each other; those that begin words come first, since they are the ones in upper case.
MOST_LETTERS = 16

_beginnings = re.compile(r"\b\w").findall


def lower_case(expression: str, *patterns: str) -> str:
    """SQL for a text in lower case, as far as LIKE with these (lower-case) patterns needs it."""
    letters: dict[str, None] = {}
    for found in (_beginnings, list):
        for pattern in patterns:
            letters |= dict.fromkeys(filter(is_replaced, found(pattern)))
    sql = f"lower({expression})"
    for letter in list(letters)[:MOST_LETTERS]:
        sql = f"replace({sql}, '{letter.upper()}', '{letter}')"
    return sql


def is_replaced(letter: str) -> bool:
    """Whether a letter beyond ASCII has another form, of one letter too."""
    upper = letter.upper()
    return not letter.isascii() and upper != letter and len(upper) == 1 and not upper.isascii()
