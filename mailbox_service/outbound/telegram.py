"""The Bot API of Telegram, or of a server that stands in for it (https://core.telegram.org/bots/api)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from mailbox_service.core.telegram import BotFile, BotRefused, read_answer
from mailbox_service.core.webhook import BadWebhook, HttpRequest, read_url
from mailbox_service.outbound.webhook import HttpOut

# For a call without files. Telegram waits for our answer to its update meanwhile.
CALL_SECONDS = 15.0


class BotApi:
    """Calls methods of one bot. The bot's token is in the address of every call, which
    therefore never goes into a log or a refusal."""

    def __init__(self, api_url: str, token: str, http: HttpOut) -> None:
        self._base = f"{api_url.rstrip('/')}/bot{token}"
        self._token = token
        self._http = http

    async def call(self, method: str, values: Mapping[str, Any]) -> Any:
        """The result of a method. Raises BotRefused."""
        body = json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await self._post(method, "application/json", body)
        except TimeoutError:
            raise BotRefused(0, f"no answer within {CALL_SECONDS:g} seconds") from None

    async def send_files(self, chat: str, files: Sequence[BotFile]) -> Any:
        """Send one file as a document, or several as a group. Raises BotRefused."""
        if len(files) == 1:
            return await self._upload("sendDocument", {"chat_id": chat}, {"document": files[0]})
        named = {f"file{number}": file for number, file in enumerate(files)}
        media = [{"type": "document", "media": f"attach://{name}"} for name in named]
        values = {"chat_id": chat, "media": json.dumps(media)}
        return await self._upload("sendMediaGroup", values, named)

    async def _upload(
        self, method: str, values: Mapping[str, str], files: Mapping[str, BotFile]
    ) -> Any:
        boundary = secrets.token_hex(16)
        body = form_data(boundary, values, files)
        return await self._post(method, f"multipart/form-data; boundary={boundary}", body)

    async def _post(self, method: str, kind: str, body: bytes) -> Any:
        try:
            url, host = read_url(f"{self._base}/{method}")
        except BadWebhook:
            raise BotRefused(0, "the address or the token of the bot is wrong") from None
        request = HttpRequest(url, host, "POST", (("Content-Type", kind),), body)
        return read_answer(await self._http.post(request), self._token)


def form_data(boundary: str, values: Mapping[str, str], files: Mapping[str, BotFile]) -> bytes:
    """A form with files (RFC 7578). Names of files are quoted as browsers do: what would end
    the quotes or the line is percent-encoded."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in values.items()
    ]
    for name, file in files.items():
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
            f'filename="{quoted(file.filename)}"\r\nContent-Type: {mime_type(file)}\r\n\r\n'
        )
        parts += [head.encode("utf-8", "replace"), file.content, b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def quoted(filename: str) -> str:
    for char, code in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A"), ("\0", "")):
        filename = filename.replace(char, code)
    return filename or "attachment"


def mime_type(file: BotFile) -> str:
    kind = file.mime_type
    good = kind.isascii() and kind.isprintable() and len(kind) <= 100
    return kind if good else "application/octet-stream"
