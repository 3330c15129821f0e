"""A relay in front of a mail door that keeps what the client said, octet for octet.

Clients invent boundaries, dates and ids, so what a client sent is known only by listening."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

CHUNK = 1 << 18
WAIT_SECONDS = 30.0


class Tap:
    """While it is entered, `port` leads to the door, and `contents` are the messages that went
    through, dots unstuffed (RFC 5321 §4.5.2)."""

    def __init__(self, door_port: int) -> None:
        self._door_port = door_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._said: list[bytearray] = []
        self._pumps: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Tap:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    @property
    def contents(self) -> list[bytes]:
        """Every message of every connection, once all clients have gone."""
        for pump in self._pumps:
            pump.join(WAIT_SECONDS)
            assert not pump.is_alive(), "a client is still connected"
        return [content for said in self._said for content in contents_of(bytes(said))]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            door = socket.create_connection(("127.0.0.1", self._door_port))
            said = bytearray()
            self._said.append(said)
            for source, target, record in ((client, door, said), (door, client, bytearray())):
                pump = threading.Thread(target=copy, args=(source, target, record), daemon=True)
                self._pumps.append(pump)
                pump.start()


def copy(source: socket.socket, target: socket.socket, record: bytearray) -> None:
    """Everything from one side to the other, until either ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            record += data
            target.sendall(data)
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


def contents_of(said: bytes) -> list[bytes]:
    """The messages in what a client said on one connection that had no TLS."""
    found = []
    at = 0
    while (end := said.find(b"\r\n", at)) >= 0:
        line, at = said[at:end], end + 2
        if line.upper() != b"DATA":
            continue
        # The line end of DATA counts as the one before the dot: a content may be empty.
        stop = said.find(b"\r\n.\r\n", end)
        if stop < 0:
            break
        stuffed = said[end : stop + 2]
        found.append(stuffed.replace(b"\r\n.", b"\r\n")[2:])
        at = stop + 5
    return found


def behind_trace(raw: bytes) -> bytes:
    """A stored message without the trace fields that we put on top of it."""
    while raw.lower().startswith((b"received:", b"return-path:")):
        end = raw.find(b"\r\n") + 2
        while raw[end : end + 1] in (b" ", b"\t"):
            end = raw.find(b"\r\n", end) + 2
        raw = raw[end:]
    return raw
