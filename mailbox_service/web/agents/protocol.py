"""The Model Context Protocol, as the official SDK speaks it: over HTTP without sessions, and over
standard input and output. The SDK takes a second and 40 MB to import, so this module is imported
when the first agent comes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from starlette.types import Message, Scope

from mailbox_service import __version__
from mailbox_service.web.agents.tool import Tool, Visit
from mailbox_service.web.agents.toolbox import INSTRUCTIONS, BadArguments, Toolbox, UnknownTool
from mailbox_service.web.answers import Answer, Headers

# The door has judged the origin and the size before us.
ALREADY_CHECKED = TransportSecuritySettings(enable_dns_rebinding_protection=False)
KEPT_HEADERS = frozenset({b"content-type", b"content-length"})


def server_for(toolbox: Toolbox, visit: Visit) -> Server[Any]:
    """A server for one agent; it is made anew for each exchange and holds nothing."""

    async def list_tools(
        context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[described(tool) for tool in toolbox.of(visit.agent)])

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            result, succeeded = await toolbox.call(visit, params.name, params.arguments or {})
        except (UnknownTool, BadArguments) as error:
            raise MCPError(code=types.INVALID_PARAMS, message=str(error)) from None
        text = json.dumps(result, ensure_ascii=False)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)],
            structured_content=result,
            is_error=not succeeded,
        )

    return Server(
        "mailbox-service",
        version=__version__,
        title="Mailbox Service",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def described(tool: Tool) -> types.Tool:
    """A tool as agents see it."""
    hints = tool.hints
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations(
            read_only_hint=hints.reads_only,
            destructive_hint=hints.destroys,
            idempotent_hint=hints.repeats_alike or hints.reads_only,
            open_world_hint=hints.reaches_out,
        ),
    )


def scope_of(headers: Headers) -> Scope:
    """A request as the protocol's library knows it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "root_path": "",
        "query_string": b"",
        # Whatever a client says that it accepts: our answers are JSON, and it can read them.
        "headers": [
            *headers,
            (b"accept", b"application/json, text/event-stream"),
            (b"content-type", b"application/json"),
        ],
        "client": None,
        "server": None,
    }


async def exchange(toolbox: Toolbox, visit: Visit, body: bytes, headers: Headers) -> Answer:
    """One HTTP request and its answer. `headers` are those of the protocol."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    status, answered, chunks = 500, [], []

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()  # until the exchange is over
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        nonlocal status, answered
        if message["type"] == "http.response.start":
            status = message["status"]
            answered = [pair for pair in message["headers"] if pair[0].lower() in KEPT_HEADERS]
        else:
            chunks.append(message.get("body", b""))

    manager = StreamableHTTPSessionManager(
        server_for(toolbox, visit),
        json_response=True,
        stateless=True,
        security_settings=ALREADY_CHECKED,
        max_request_body_size=max(1, len(body)),
    )
    async with manager.run():
        await manager.handle_request(scope_of(headers), receive, send)
    media_type = next(
        (value for name, value in answered if name.lower() == b"content-type"),
        b"application/json",
    )
    return Answer(b"".join(chunks), media_type, status=status)


async def serve_standard_streams(toolbox: Toolbox, visit: Visit) -> None:
    """Serve the agent at the other end of standard input and output, until it goes."""
    server = server_for(toolbox, visit)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())
