"""Routes: path, method, guard, reader, writer and words for the documentation, in one place.

    routes = Routes("mails")

    @routes.get("/api/mail/{mail_id}", MAILBOX, returns=MailRow | None)
    async def one_mail(call: Call) -> MailRow | None:
        \"\"\"One mail with its source; null when it is not there.\"\"\"

What a handler returns becomes JSON, unless it is an `Answer` or a Starlette response. Lookup is
by dictionaries, one step a path segment, so its cost does not grow with the number of routes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mailbox_service.web.guards import Guard
from mailbox_service.web.request import Call

Handler = Callable[[Call], Awaitable[Any]]

# JSON without a message in it: names, flags, settings. A thousand ids are 20 KB.
SMALL_BODY = 65_536  # octets
# A body that carries a message: as large as the configuration lets a message be, in JSON.
WHOLE_MESSAGE = -1
# A body that is a file as it is: no larger than a message.
WHOLE_FILE = -2


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    guard: Guard
    handler: Handler
    area: str
    # For the documentation.
    summary: str
    query: type[msgspec.Struct] | None = None
    body: Any = None
    returns: Any = None
    # Several where the query chooses, with commas and blanks between.
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    # Media type -> type, where a refusal of the handler is no plain text.
    refusals: dict[str, Any] = field(default_factory=dict)
    # Octets of the body; the writer of the route knows what fits into it.
    body_limit: int = SMALL_BODY

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(self.path.split("/"))


class Routes:
    """The routes of one area, collected by decorators."""

    def __init__(self, area: str) -> None:
        self.area = area
        self.operations: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def add(
        self, method: str, path: str, guard: Guard, **words: Any
    ) -> Callable[[Handler], Handler]:
        """Register a handler. Its docstring is the documentation of the route."""

        def register(handler: Handler) -> Handler:
            summary = " ".join((handler.__doc__ or "").split())
            self.operations.append(
                Operation(method, path, guard, handler, self.area, summary, **words)
            )
            return handler

        return register

    def get(self, path: str, guard: Guard, **words: Any) -> Callable[[Handler], Handler]:
        return self.add("GET", path, guard, **words)

    def post(self, path: str, guard: Guard, **words: Any) -> Callable[[Handler], Handler]:
        return self.add("POST", path, guard, **words)

    def patch(self, path: str, guard: Guard, **words: Any) -> Callable[[Handler], Handler]:
        return self.add("PATCH", path, guard, **words)

    def delete(self, path: str, guard: Guard, **words: Any) -> Callable[[Handler], Handler]:
        return self.add("DELETE", path, guard, **words)


class _Node:
    """One segment of the paths: what may follow, and what ends here."""

    __slots__ = ("fixed", "open", "operations")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.open: _Node | None = None
        self.operations: dict[str, Operation] = {}


class Table:
    """Finds the operation of a method and a path. Paths are strict: case counts, a trailing or
    doubled slash names another path, and nothing is decoded twice."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._fixed: dict[tuple[str, str], Operation] = {}
        self._root = _Node()
        for operation in self.operations:
            self._add(operation)

    def _add(self, operation: Operation) -> None:
        if "{" not in operation.path:
            if (operation.method, operation.path) in self._fixed:
                raise ValueError(f"{operation.method} {operation.path} is there twice")
            self._fixed[operation.method, operation.path] = operation
            return
        node = self._root
        for segment in operation.segments:
            if segment.startswith("{"):
                node.open = node.open or _Node()
                node = node.open
            else:
                node = node.fixed.setdefault(segment, _Node())
        if operation.method in node.operations:
            raise ValueError(f"{operation.method} {operation.path} is there twice")
        node.operations[operation.method] = operation

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation, and the values in its path. None: there is no such route."""
        operation = self._fixed.get((method, path))
        if operation is not None:
            return operation, {}
        segments = path.split("/")
        operation = _walk(self._root, segments, 0, method)
        if operation is None:
            return None
        values = {
            name[1:-1]: value
            for name, value in zip(operation.segments, segments, strict=True)
            if name.startswith("{")
        }
        return operation, values


def _walk(node: _Node, segments: list[str], at: int, method: str) -> Operation | None:
    """A fixed segment comes before an open one; an open one is never empty."""
    if at == len(segments):
        return node.operations.get(method)
    segment = segments[at]
    below = node.fixed.get(segment)
    found = _walk(below, segments, at + 1, method) if below is not None else None
    if found is None and node.open is not None and segment:
        found = _walk(node.open, segments, at + 1, method)
    return found
