"""AI agents at the running service: both official client libraries, over HTTP and stdio."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
import psutil
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.journeys.running import RunningService
from tests.programs import need_node_package

pytestmark = pytest.mark.anyio

CODE = (
    b"From: Shop <no-reply@shop.example>\r\nTo: you\r\nSubject: Your code\r\n\r\n"
    b"Your verification code is 735911. Or follow https://shop.example/verify?t=1\r\n"
)
NODE_SECONDS = 120.0


def new_key(service: RunningService) -> str:
    """A key, by the command that operators use."""
    made = service.command("apikey", "new")
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["api_key"])


def stdio_arguments(service: RunningService) -> list[str]:
    return ["-m", "mailbox_service", "mcp", "--config", str(service.config_file)]


@asynccontextmanager
async def over_http(service: RunningService, credential: str) -> AsyncIterator[Client]:
    shown = {"Authorization": f"Bearer {credential}"}
    async with (
        httpx2.AsyncClient(headers=shown, timeout=70) as http,
        Client(streamable_http_client(f"{service.url}/mcp", http_client=http)) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(service: RunningService, credential: str = "") -> AsyncIterator[Client]:
    environment = service.environment() | ({"MCP_CREDENTIAL": credential} if credential else {})
    program = StdioServerParameters(
        command=sys.executable, args=stdio_arguments(service), env=environment
    )
    async with Client(stdio_client(program)) as client:
        yield client


async def call(client: Client, tool: str, /, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.structured_content
    return result.structured_content


async def shop(service: RunningService, client: Client, name: str) -> Any:
    """Open an address, get a code mailed, and find it."""
    opened = await call(client, "open_address", name=name)
    service.deliver(opened["address"], CODE)
    waited = await call(client, "wait_for_mail", address=opened["address"], timeout_seconds=50)
    written = waited["mail"]["untrusted"]
    assert written["code"] == "735911"
    assert written["links"][0]["url"] == "https://shop.example/verify?t=1"
    sent = await call(
        client,
        "reply",
        id=waited["mail"]["id"],
        address=opened["address"],
        text="Thank you.",
    )
    assert sent["to"] == ["no-reply@shop.example"]
    return opened["address"]


async def test_an_agent_in_python_over_http(service: RunningService) -> None:
    async with over_http(service, new_key(service)) as client:
        await shop(service, client, "python-http")


async def test_an_agent_in_python_over_stdio(service: RunningService) -> None:
    """The operator's own agent has every mailbox; one with a token has its own."""
    opened, token = service.open_address("somebody")
    async with over_stdio(service) as client:
        theirs = await shop(service, client, "pythonstdio")
        assert (await call(client, "list_mails", address=opened))["count"] == 0
        # What it opened itself is its own, and need not be named.
        listed = await call(client, "list_addresses")
        assert [one["address"] for one in listed["addresses"]] == [theirs]
        assert (await call(client, "list_mails"))["count"] == 1
        assert not any(tool.name.startswith("smtp_") for tool in (await client.list_tools()).tools)
    async with over_stdio(service, token) as client:
        listed = await call(client, "list_addresses")
        assert [one["address"] for one in listed["addresses"]] == [opened]
        other = await client.call_tool("list_mails", {"address": theirs})
        assert other.is_error


def test_a_wrong_credential_over_stdio_ends_with_one_line(service: RunningService) -> None:
    ended = subprocess.run(
        [sys.executable, *stdio_arguments(service)],
        env=service.environment() | {"MCP_CREDENTIAL": "nonsense"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "nonsense" not in ended.stderr


class NodeAgent:
    """The Node client, driven line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.tools: list[str] = self.read()["tools"]

    def read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the Node client ended"
        return json.loads(line)

    def call(self, tool: str, /, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        line = json.dumps({"name": tool, "arguments": arguments})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.read()


@contextmanager
def node_agent(service: RunningService, *arguments: str) -> Iterator[NodeAgent]:
    node, folder = need_node_package("@modelcontextprotocol/sdk")
    with subprocess.Popen(
        [node, "agent.mjs", *arguments],
        cwd=folder,
        env=service.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield NodeAgent(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(NODE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.mark.parametrize("way", ["http", "stdio"])
def test_an_agent_in_node(service: RunningService, way: str) -> None:
    arguments = (
        [f"{service.url}/mcp", new_key(service)]
        if way == "http"
        else [sys.executable, *stdio_arguments(service)]
    )
    with node_agent(service, *arguments) as agent:
        assert "open_address" in agent.tools
        opened = agent.call("open_address", name=f"node-{way}")
        service.deliver(opened["address"], CODE)
        waited = agent.call("wait_for_mail", address=opened["address"], timeout_seconds=50)
        assert waited["mail"]["untrusted"]["code"] == "735911"
        assert agent.call("no_such_tool") == {"code": -32602}
        if way == "http":
            tested = agent.call("smtp_test_connection")
            assert (tested["isError"], tested["error_code"]) == (True, "not_configured")


def test_a_service_without_agents_does_not_carry_the_library(service: RunningService) -> None:
    """The idle service stays small: the SDK comes with the first agent."""
    lone = RunningService(service.folder / "lone")
    lone.start()
    try:
        assert lone.process is not None
        assert lone.get("/health_check").status == 200
        before = psutil.Process(lone.process.pid).memory_info().rss
        answer = lone.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert answer.status == 401
        assert psutil.Process(lone.process.pid).memory_info().rss - before < 16 << 20
    finally:
        lone.stop()
