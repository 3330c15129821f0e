"""Doors in a process of their own: how little memory they need, and what they survive."""

from __future__ import annotations

import resource
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

MIB = 1024 * 1024


class LoneDoor:
    """The process, its port, and its memory when asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = ("127.0.0.1", int(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def ask(self) -> tuple[int, int]:
        """Resident octets, and open connections."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        memory, connections = self._line().split()
        return int(memory), int(connections)


@contextmanager
def lone_door(loop: str, open_files: int = 0) -> Iterator[LoneDoor]:
    command = [sys.executable, "-m", "tests.smtp.lone_door", loop, str(open_files)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield LoneDoor(process)
        finally:
            process.kill()


def connect(door: LoneDoor) -> socket.socket:
    connection = socket.create_connection(door.address, timeout=20)
    greeting = connection.recv(200)
    assert greeting.startswith(b"220 "), greeting
    return connection


def say(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line + b"\r\n")
    return connection.recv(1_000)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_endless_line_costs_no_memory(loop: str) -> None:
    """Hazard 2: 300 MB in one line of content, and again as a command: less than 8 MB more."""
    with lone_door(loop) as door, connect(door) as warm, connect(door) as connection:
        for wire in (warm, connection):
            say(wire, b"EHLO me.test")
            say(wire, b"MAIL FROM:<far@away.test>")
            say(wire, b"RCPT TO:<ann@example.test>")
            assert say(wire, b"DATA").startswith(b"354")
        assert say(warm, b"x" * 500_000 + b"\r\n.").startswith(b"250")
        before, _ = door.ask()
        piece = b"x" * MIB
        for number in range(300):
            connection.sendall(piece)
            if number % 100 == 50:
                assert door.ask()[0] - before < 8 * MIB
        assert say(connection, b"\r\n.").startswith(b"500 5.5.2")
        for _ in range(100):
            warm.sendall(piece)
        assert door.ask()[0] - before < 8 * MIB
        assert say(warm, b"") == b"500 5.5.2 Line too long\r\n"


def test_thousands_of_idle_connections_cost_little_and_keep_nobody_out() -> None:
    """Hazard 5: each one less than 40 kB, and mail goes on."""
    wanted = 3_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted + 200:
        wanted = hard - 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 200), hard))
    try:
        with lone_door("uvloop") as door, ExitStack() as stack:
            for _ in range(50):
                say(stack.enter_context(connect(door)), b"EHLO me.test")
            before, _ = door.ask()
            for _ in range(wanted):
                say(stack.enter_context(connect(door)), b"EHLO me.test")
            after, connections = door.ask()
            assert connections == wanted + 50
            print(f"{(after - before) / wanted:.0f} octets per idle connection")
            assert (after - before) / wanted < 40_000
            with smtplib.SMTP(*door.address, timeout=10) as smtp:
                assert smtp.sendmail("far@away.test", ["ann@example.test"], "Subject: x\n\nx") == {}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_door_without_file_descriptors_left_recovers(loop: str) -> None:
    """Hazard 19: EMFILE at accept; when others have gone, mail goes on."""
    with lone_door(loop, open_files=40) as door:
        with ExitStack() as stack:
            for _ in range(60):
                wire = stack.enter_context(socket.create_connection(door.address, timeout=5))
                wire.setblocking(False)
            assert 0 < door.ask()[1] < 40
        while door.ask()[1]:  # they have gone; now the door notices
            pass
        for _ in range(2):
            with smtplib.SMTP(*door.address, timeout=20) as smtp:
                assert smtp.sendmail("far@away.test", ["ann@example.test"], "Subject: x\n\nx") == {}
