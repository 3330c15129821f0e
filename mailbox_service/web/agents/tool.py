"""What a tool is: its name, its form, its budget and the service behind it.

    MAILBOX_TOOLS = (Tool("open_address", "Open an address", OpenAddress, open_address, 30, …), …)

The form of a tool is a type: its schema is shown to agents, and calls are read by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.envelope import Principal
from mailbox_service.services.agents import Agent, Agents
from mailbox_service.web.services import Services
from mailbox_service.web.streams import Streams

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hints:
    """What a client may tell its user before a tool is called."""

    reads_only: bool = False
    destroys: bool = False
    repeats_alike: bool = False
    reaches_out: bool = False


class OperationFailed(Exception):
    """A tool did what it could, and this is what went wrong: a result, and no error of ours."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("error", ""))
        self.result = result


@dataclass(frozen=True, slots=True)
class Visit:
    """One call of a tool: who calls, and what is there to serve it.

    `look_seconds` is how often a wait looks for itself, where no other part of the process can
    wake it; 0: it is woken. `until_left` waits for the agent to go, where that can be seen.
    """

    agent: Agent
    services: Services
    agents: Agents
    config: Config
    streams: Streams
    ip: str
    look_seconds: float = 0.0
    until_left: Callable[[], Awaitable[None]] | None = None

    async def mailbox(self, address: str) -> Principal:
        """The mailbox that is meant. Raises BadRequest, UnknownMailbox."""
        return await self.agents.mailbox(self.agent, address)

    async def pause(self) -> None:
        """Between two looks."""
        await asyncio.sleep(self.look_seconds)


Run = Callable[[Visit, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `budget` is how many calls a minute one agent has; `endpoint` the HTTP endpoint
    whose operation it is, and whose permission a key needs, where there is one."""

    name: str
    title: str
    form: type[Struct]
    run: Run
    budget: int
    hints: Hints = field(default_factory=Hints)
    schema: Schema | None = None
    result: type[Struct] | None = None
    endpoint: str = ""

    @property
    def permission(self) -> str:
        """What a key must be allowed."""
        return self.endpoint or f"/mcp/{self.name}"

    @property
    def description(self) -> str:
        """What it does, for the agent that chooses among tools."""
        return " ".join((self.run.__doc__ or "").split())

    @property
    def input_schema(self) -> Schema:
        """The schema of its arguments."""
        return self.schema or object_schema(self.form)

    @property
    def output_schema(self) -> Schema | None:
        """The schema of its result; None where it is not promised."""
        return None if self.result is None else object_schema(self.result)


def object_schema(of: type[Struct]) -> Schema:
    """The schema of a type, an object at its root, as the protocol wants it."""
    whole = msgspec.json.schema(of)
    parts: Schema = whole.pop("$defs", {})
    if "$ref" not in whole:
        return whole
    root: Schema = parts.pop(whole["$ref"].rpartition("/")[2])
    return root | ({"$defs": parts} if parts else {})
