"""JSONPath (RFC 9535) over a stranger's JSON, by an administrator's path: bounded, no patterns."""

from __future__ import annotations

from typing import Any

from jsonpath import UNDEFINED, JSONPathEnvironment, JSONPathError

# A path selects from one profile of some kilobytes. Each descent (`..`), each filter, each second
# selector of a list and each look back at the whole document visits anew what it is applied to,
# so that nesting them multiplies; honest paths need one. So often each sign may stand in a path:
LONGEST_PATH = 200  # characters
MOST = {"..": 1, "?": 2, ",": 3, "$": 1, "^": 0}
# Patterns in a path would run without a time limit.
_PATTERN_OPERATOR = "=~"
_PATTERN_FUNCTIONS = ("match", "search")


class _Paths(JSONPathEnvironment):
    """JSONPath without patterns."""

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        for name in _PATTERN_FUNCTIONS:
            self.function_extensions.pop(name, None)


_paths = _Paths()


def first_at(path: str, document: Any) -> Any:
    """The first value that a path selects; None when there is none, or the path is none that we
    run. `===` is taken as `==`, as JavaScript's libraries compare."""
    path = path.replace("===", "==")
    if (
        len(path) > LONGEST_PATH
        or any(path.count(sign) > most for sign, most in MOST.items())
        or _PATTERN_OPERATOR in path
    ):
        return None
    try:
        found = _paths.match(path, document)
    except (JSONPathError, RecursionError, ValueError, TypeError):
        return None
    return None if found is None or found.obj is UNDEFINED else found.obj
