"""Answers of a real socket, heard and taken apart."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class Answered:
    """An answer as it came; its length is what it says."""

    def __init__(self, octets: bytes) -> None:
        head, _, self.body = octets.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.fields = dict(line.split(": ", 1) for line in lines)
        assert len(self.fields) == len(lines)
        assert int(self.fields["content-length"]) == len(self.body)

    @property
    def told(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


async def heard(where: tuple[str, int], *pieces: bytes) -> bytes:
    """What a server says to pieces that are sent one after the other, until it closes."""
    reader, writer = await asyncio.open_connection(*where)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if piece is not pieces[-1]:
                await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()
