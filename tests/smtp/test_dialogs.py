"""Every file in `tests/dialogs` is a conversation that must go exactly so.

door: submission            which door, then words: `tls required`
C: EHLO me                  the client sends this line
R: EHLO me\\nRSET\\r\\n        the client sends these octets, escapes as in Python
S: 250 2.0.0 Ok             the door replies this
S: 250 ...                  the door replies with this code, in one line or more
TLS                         the client does its half of a TLS handshake
CLOSED                      the door has closed
KEPT 1                      so many messages were handed over
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.smtp.conftest import OpenDoor
from tests.smtp.post_office import PostOffice
from tests.smtp.wire import Wire

pytestmark = pytest.mark.anyio

DIALOGS = sorted((Path(__file__).parent.parent / "dialogs").glob("*.smtp"))


def test_there_are_dialogs() -> None:
    assert len(DIALOGS) > 10


def script(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and line[0] != "#"]


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
async def test_the_dialog_goes_as_written(
    path: Path, office: PostOffice, open_door: OpenDoor, client_tls: ssl.SSLContext
) -> None:
    lines = script(path)
    kind, *words = lines.pop(0).removeprefix("door: ").split()
    options: dict[str, Any] = {"require_tls_for_auth": True} if "required" in words else {}
    if "plain" in words:
        options = {"tls": None}
    door = await open_door(kind, options=options)
    async with await Wire.connect(door.address, greet=False) as wire:
        expected: list[str] = []
        for line in lines:
            where = f"{path.name}: {line}"
            match line.partition(" "):
                case "C:", _, text:
                    wire.send(text + "\r\n")
                case "R:", _, text:
                    wire.send(text.encode("latin-1").decode("unicode_escape").encode("latin-1"))
                case "S:", _, text if text.endswith(" ..."):
                    assert (await wire.reply()).startswith(text[:3]), where
                case "S:", _, text:
                    expected.append(text)
                    if text[3:4] != "-":
                        assert await wire.reply() == "\n".join(expected), where
                        expected.clear()
                case "TLS", _, _:
                    await wire.start_tls(client_tls)
                case "CLOSED", _, _:
                    assert await wire.closed(), where
                case "KEPT", _, count:
                    assert len(office.kept) == int(count), where
                case _:
                    raise AssertionError(f"unreadable: {where}")
