"""Memory of the whole service: at rest, for a silent SMTP connection, and under endless lines.

Resident memory of the process as the kernel counts it. A thousand connections to the reception
door have each had a greeting and answered it with EHLO, and say no more. Then lines without an
end are sent at the speed of loopback: first as a command, then inside a message. A line that the
service cuts off is begun anew on a new connection, until the octets or the time are used up.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from benchmarks.figures import Goal, Options, Program, Report, number
from benchmarks.processes import Tree, work_folder
from benchmarks.service import service, versions

CONNECTIONS = 1_000
# These fill what the start has left free, and are not counted.
FIRST_CONNECTIONS = 500
MIB = 1 << 20
PIECE = b"x" * (256 << 10)
# Octets and seconds for each kind of line.
LINE_OCTETS = 2 << 30
LINE_SECONDS = 20.0
DIALOGS = {
    "a command line": (),
    "a line of content": (
        b"EHLO client.example\r\n",
        b"MAIL FROM:<ann@sender.example>\r\n",
        b"RCPT TO:<box@x.test>\r\n",
        b"DATA\r\n",
    ),
}


def run(options: Options) -> Report:
    """Measure one service in three states."""
    octets = LINE_OCTETS // (16 if options.quick else 1)
    with work_folder() as folder, service(folder / "ours") as ours:
        tree = ours.tree
        ours.open_address("box")
        tree.wait_until_idle()
        idle = tree.resident_octets()
        with silent_connections(ours.reception_port, FIRST_CONNECTIONS):
            tree.wait_until_idle()
            before = tree.resident_octets()
            with silent_connections(ours.reception_port, CONNECTIONS):
                tree.wait_until_idle()
                each = (tree.resident_octets() - before) / CONNECTIONS
        tree.wait_until_idle()
        rows = [
            ["at rest", f"{idle / MIB:.1f} MiB", ""],
            ["a silent connection", f"{each / 1000:.1f} kB", f"{CONNECTIONS:,} more open"],
        ]
        growth: dict[str, float] = {}
        for name, dialog in DIALOGS.items():
            before = tree.resident_octets()
            peak, sent, cut = endless_line(ours.reception_port, dialog, tree, octets)
            growth[name] = (peak - before) / MIB
            told = f"{number(sent / MIB)} MiB sent on {cut + 1} connections"
            rows.append([f"endless: {name}", f"{growth[name]:+.1f} MiB at most", told])
    goals = [
        Goal("idle service", idle / 1e6, 120.0, unit="MB", at_most=True),
        Goal("a silent SMTP connection", each / 1e3, 40.0, unit="kB", at_most=True),
        Goal("an endless line", max(growth.values()) * 1.048576, 8.0, unit="MB", at_most=True),
    ]
    raw: dict[str, object] = {"idle": idle, "connection": each, "growth": growth}
    return Report(("state", "memory", ""), rows, goals, versions("aiosmtpd", "uvloop"), raw=raw)


@contextlib.contextmanager
def silent_connections(port: int, count: int) -> Iterator[None]:
    """Connections that have said EHLO and nothing else."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10.0))
            expect(peer, b"220")
            peer.sendall(b"EHLO client.example\r\n")
            expect(peer, b"250")
        yield


def expect(peer: socket.socket, code: bytes) -> None:
    """Read a whole reply. Raises RuntimeError when it is another."""
    heard = b""
    while not heard.endswith(b"\n") or heard[heard.rfind(b"\n", 0, -1) + 1 :][3:4] == b"-":
        piece = peer.recv(65_536)
        if not piece:
            break
        heard += piece
    if not heard.startswith(code):
        raise RuntimeError(f"expected {code!r}, got {heard!r}")


def endless_line(
    port: int, dialog: tuple[bytes, ...], tree: Tree, octets: int
) -> tuple[int, int, int]:
    """Send a line for ever; the most memory seen, octets sent, and how often it was cut off."""
    deadline = time.monotonic() + LINE_SECONDS
    peak, sent, cut = tree.resident_octets(), 0, 0
    while sent < octets and time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", port), 10.0) as peer:
            expect(peer, b"220")
            for command in dialog:
                peer.sendall(command)
                expect(peer, b"354" if command == b"DATA\r\n" else b"250")
            try:
                while sent < octets and time.monotonic() < deadline:
                    peer.sendall(PIECE)
                    sent += len(PIECE)
                    peak = max(peak, tree.resident_octets())
            except OSError:
                cut += 1
    return max(peak, tree.resident_octets()), sent, cut


PROGRAM = Program("memory", run, __doc__, "Memory")
