"""Load over HTTP: wrk from Debian, or a client of our own where it is missing.

Ours costs several times the CPU of wrk, so its figures are lower bounds for quick answers.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.processes import Unavailable, find

CONNECTIONS = 32
GRACE_SECONDS = 30

SCRIPT = """
wrk.method = {method}
wrk.body = {body}
{headers}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("figures %d %d %d\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Request:
    """One request, sent again and again."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def on_the_wire(self) -> bytes:
        fields = {"Host": "127.0.0.1", **self.headers}
        if self.body:
            fields["Content-Length"] = str(len(self.body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body


def generator() -> str:
    """What makes the load."""
    try:
        find("wrk")
    except Unavailable:
        return "own client"
    return "wrk"


def load(port: int, request: Request, seconds: float, folder: Path) -> tuple[int, float]:
    """Ask again and again on 32 connections; answers and seconds. Raises RuntimeError for an
    answer that is no success."""
    if generator() == "wrk":
        return with_wrk(port, request, seconds, folder)
    return with_own_client(port, request, seconds)


def with_wrk(port: int, request: Request, seconds: float, folder: Path) -> tuple[int, float]:
    """One thread of wrk; it measures whole seconds."""
    script = folder / "request.lua"
    script.write_text(
        SCRIPT.format(
            method=quoted(request.method),
            body=quoted(request.body.decode()) if request.body else "nil",
            headers="\n".join(
                f"wrk.headers[{quoted(name)}] = {quoted(value)}"
                for name, value in request.headers.items()
            ),
        )
    )
    command = [find("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    command += ["-s", str(script), f"http://127.0.0.1:{port}{request.path}"]
    limit = seconds + GRACE_SECONDS
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    line = next((line for line in done.stdout.splitlines() if line.startswith("figures ")), "")
    if done.returncode or not line:
        raise RuntimeError(f"wrk: {done.stdout[-400:]}{done.stderr[-400:]}")
    answers, micros, errors = map(int, line.split()[1:])
    if errors or not answers:
        raise RuntimeError(f"{request.path}: {errors} errors, {answers} answers")
    return answers, micros / 1e6


def quoted(text: str) -> str:
    """Text as Lua writes it: the escapes of JSON that we need are the same."""
    return json.dumps(text)


class Asking(asyncio.Protocol):
    """One kept connection that asks as soon as it is answered."""

    def __init__(self, wire: bytes, until: float) -> None:
        self.answers = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wire = wire
        self._until = until
        self._heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own
        self._transport.write(self._wire)

    def data_received(self, data: bytes) -> None:
        heard = self._heard
        heard += data
        end = heard.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(heard[: end + 2]).lower()
        _, found, rest = head.partition(b"\r\ncontent-length:")
        if head[9:10] != b"2" or not found:
            self._end(RuntimeError(f"answered {head[:200]!r}"))
            return
        if len(heard) < end + 4 + int(rest.partition(b"\r\n")[0]):
            return
        heard.clear()
        self.answers += 1
        if time.perf_counter() < self._until:
            self._transport.write(self._wire)
        else:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the server closed the connection"))

    def _end(self, error: Exception | None) -> None:
        self._transport.close()
        if not self.ended.done():
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)


def with_own_client(port: int, request: Request, seconds: float) -> tuple[int, float]:
    """The same with asyncio, in this process."""
    wire = request.on_the_wire()

    async def ask() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        asking = []
        for _ in range(CONNECTIONS):
            _, protocol = await loop.create_connection(
                lambda: Asking(wire, began + seconds), "127.0.0.1", port
            )
            asking.append(protocol)
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            await asyncio.gather(*(protocol.ended for protocol in asking))
        return sum(one.answers for one in asking), time.perf_counter() - began

    return uvloop.run(ask())
