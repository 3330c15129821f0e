"""Where a door listens."""

from __future__ import annotations

import asyncio


class Listening:
    """The addresses of a door. Each start adds one; what listens is closed with the door."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Every bound host and port, in the order of the starts."""
        bound = [sock.getsockname() for server in self._servers for sock in server.sockets]
        return [(name[0], name[1]) for name in bound]

    @property
    def address(self) -> tuple[str, int]:
        """The first bound host and port."""
        return self.addresses[0]

    def stop_listening(self) -> None:
        """Take no further connections; those that are open stay."""
        for server in self._servers:
            server.close()

    async def stopped(self) -> None:
        """Wait until nothing listens any more."""
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
