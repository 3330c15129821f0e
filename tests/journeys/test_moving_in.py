"""Somebody moves here from an existing deployment, by the page docs/migrating.md: dumps, settings,
import, start. Old tokens, passwords and accounts work, and old mail is there byte for byte."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import RunningService
from tests.old_deployment import RECORD, SECRET, OldDeployment, digest, raw_mail, token

SETTINGS: dict[str, Any] = {
    "domains": ["old.test"],
    "jwt_secret": SECRET,
    "enable_mail_gzip": True,
    "enable_auto_reply": True,
    "enable_webhook": True,
    "webhook_private_addresses": True,
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    made = RunningService(tmp_path / "here", SETTINGS)
    yield made
    made.kill()


def test_everybody_finds_everything(service: RunningService, tmp_path: Path) -> None:
    with OldDeployment(addresses=5, mails=60, gzipped=20) as old:
        dump = old.dump(tmp_path / "dump.sql", "hosted")
        keys = old.dump_keys(tmp_path / "keys.json", "list")
        mails, addresses = old.mails, old.addresses
    packed = tmp_path / "dump.sql.gz"
    packed.write_bytes(gzip.compress(dump.read_bytes()))
    # Somebody had tried the service out before: its own address has the first id.
    assert service.command("address", "new", "--name", "hello").returncode == 0

    moved = service.command("import", str(packed), str(keys))
    assert moved.returncode == 0, moved.stderr
    assert "raw_mails               60 taken over        0 there already        0 left out" in (
        moved.stdout
    )
    again = service.command("import", str(dump), str(keys))
    assert "raw_mails                0 taken over       60 there already" in again.stdout

    service.start()
    for address_id, address in addresses.items():
        theirs = token(address, address_id)
        shown = service.get("/api/settings", token=theirs)
        assert (shown.status, shown.json()["address"]) == (200, address)
        page = service.get("/api/mails?limit=100&offset=0", token=theirs).json()
        expected = {number: raw for number, (owner, raw) in mails.items() if owner == address}
        assert page["count"] == len(expected)
        assert {row["id"]: row["raw"] for row in page["results"]} == {
            number: raw.decode() for number, raw in expected.items()
        }
        for number, raw in expected.items():
            assert service.raw(theirs, number) == raw
            one = service.get(f"/api/mail/{number}", token=theirs).json()
            assert one["created_at"].startswith("2025-03-01 10:")
            assert one["source"] == "bounce@s.test"
        login = {"email": address, "password": digest(f"password {address_id}")}
        opened = service.post("/api/address_login", login)
        assert (opened.status, opened.json()["address"]) == (200, address)

    ann = token("box1@old.test", 1)
    sendbox = service.get("/api/sendbox?limit=10&offset=0", token=ann).json()
    assert [row["id"] for row in sendbox["results"]] == [6, 5]
    kept = {key: value for key, value in RECORD.items() if key != "token"}
    assert json.loads(sendbox["results"][1]["raw"]) == kept
    assert service.get("/api/settings", token=ann).json()["send_balance"] == 7
    assert service.get("/api/auto_reply", token=ann).json()["subject"] == "away"
    assert service.get("/api/webhook/settings", token=ann).json()["url"] == "https://h.test/"
    account = service.post("/user_api/login", {"email": "Ann@mail.test", "password": digest("ann")})
    assert account.status == 200, account.text
    bound = service.get(
        "/user_api/bind_address", headers={"x-user-token": account.json()["jwt"]}
    ).json()
    assert [row["name"] for row in bound["results"]] == ["box2@old.test"]
    blocked = service.get("/admin/account_settings", admin=True).json()
    assert (blocked["blockList"], blocked["fromBlockList"]) == (["admin", "root"], ["spam@"])
    # Nothing followed from old mail, and new mail has higher ids.
    assert service.get("/admin/mail_webhook/posts", admin=True).json()["results"] == []
    service.deliver("box1@old.test", raw_mail(7))
    assert service.wait_for_mail(ann, after_id=max(mails))["subject"] == "letter 7"


def test_an_import_that_is_killed_is_made_again_and_each_mail_is_there_once(
    service: RunningService, tmp_path: Path
) -> None:
    with OldDeployment(addresses=4, mails=4_000, gzipped=500) as old:
        dump = old.dump(tmp_path / "dump.sql")
        mails = old.mails
    assert service.command("address", "new", "--name", "hello").returncode == 0
    store = service.folder / "data" / "mailbox.db"
    arguments: list[str | Path] = [
        sys.executable,
        "-m",
        "mailbox_service",
        "import",
        dump,
        "--config",
    ]
    for enough in (1, 1_000, 2_500):
        with subprocess.Popen(
            [*arguments, service.config_file],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=service.environment(),
        ) as process:
            deadline = time.monotonic() + 60
            while count(store) < enough and process.poll() is None:
                assert time.monotonic() < deadline, "the import does not come on"
                time.sleep(0.002)
            process.kill()
    done = service.command("import", str(dump))
    assert done.returncode == 0, done.stderr
    service.start()
    found: dict[int, str] = {}
    for offset in range(0, len(mails), 100):
        page = service.get(f"/admin/mails?limit=100&offset={offset}", admin=True).json()
        found |= {row["id"]: row["raw"] for row in page["results"]}
    assert len(found) == len(mails)
    assert found == {number: raw.decode() for number, (_, raw) in mails.items()}


def count(store: Path) -> int:
    """How many mails a store holds that another process writes to."""
    with contextlib.closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", 30, uri=True)) as opened:
        (number,) = opened.execute("SELECT count(*) FROM messages").fetchone()
    return int(number)


def test_what_is_wrong_is_said_before_anything_is_touched(
    service: RunningService, tmp_path: Path
) -> None:
    with OldDeployment(mails=1, gzipped=0) as old:
        dump = old.dump(tmp_path / "dump.sql")
    cut = tmp_path / "cut.sql"
    text = dump.read_text()
    cut.write_text(text[: text.index("verification")])
    service.start()
    running = service.command("import", str(dump))
    assert running.returncode == 1
    assert "another service runs" in running.stderr
    service.stop()
    broken = service.command("import", str(cut))
    assert broken.returncode == 1
    assert "the dump ends amid a statement: it is cut off" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert count(service.folder / "data" / "mailbox.db") == 0
