"""A simulator of Telegram's Bot API on loopback, in threads: it keeps what a bot called, and
answers as told. Nothing else of Telegram is in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import HttpServer

RESULTS: dict[str, Any] = {
    "getWebhookInfo": {"url": "https://mail.test/telegram/webhook", "pending_update_count": 0},
    "getMyCommands": [{"command": "start", "description": "Begin"}],
}


@dataclass(frozen=True)
class BotCall:
    """One call: the bot's token, the method, its values, and files by their field."""

    token: str
    method: str
    values: dict[str, Any]
    files: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return str(self.values.get("text", ""))


class BotApiSimulator(HttpServer):
    """Answers `ok` to every call, and first what stands in `answers`: status and JSON."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[BotCall] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def refuse(self, code: int, description: str, **parameters: Any) -> None:
        """Answer the next call so."""
        told = {"ok": False, "error_code": code, "description": description}
        self.answers.append((code, {**told, "parameters": parameters} if parameters else told))

    def wait(self, count: int, seconds: float = 60.0) -> None:
        """Until so many calls came."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.calls) >= count, seconds)
        assert came, f"{len(self.calls)} calls came, not {count}"

    def of(self, method: str) -> list[BotCall]:
        """The calls of one method."""
        return [call for call in list(self.calls) if call.method == method]


class Handler(BaseHTTPRequestHandler):
    server: BotApiSimulator

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # the caller was killed amid the request
        _, token, method = self.path.split("/")
        values, files = self._read(body)
        call = BotCall(token.removeprefix("bot"), method, values, files)
        with self.server.changed:
            self.server.calls.append(call)
            self.server.changed.notify_all()
            told = {"ok": True, "result": RESULTS.get(method, True)}
            status, answer = self.server.answers.pop(0) if self.server.answers else (200, told)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _read(self, body: bytes) -> tuple[dict[str, Any], dict[str, tuple[str, str, bytes]]]:
        kind = self.headers["content-type"]
        if not kind.startswith("multipart/form-data"):
            return json.loads(body), {}
        values: dict[str, Any] = {}
        files = {}
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode()
                                                      + b"\r\n\r\n" + body)  # fmt: skip
        for part in message.iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            filename = part.get_filename()
            if filename is None:
                values[name] = content.decode()
            else:
                files[name] = (filename, part.get_content_type(), content)
        return values, files

    def log_message(self, format: str, *args: object) -> None:
        """Not to the console."""


@contextmanager
def bot_api() -> Iterator[BotApiSimulator]:
    """A simulator that listens."""
    with BotApiSimulator() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
