"""The files of deploy/ and the run-book name only what exists, and the backup restores."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailbox_service.config import FIELDS, Config
from tests.programs import ROOT, need

DEPLOY = ROOT / "deploy"
RUN_BOOK = ROOT / "docs" / "operating.md"


def text(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def compose() -> dict[str, Any]:
    parsed = yaml.safe_load(text("compose.yaml"))
    assert isinstance(parsed, dict)
    return parsed


# Settings and commands ----------------------------------------------------------------------


def documents() -> list[Path]:
    return [*sorted(file for file in DEPLOY.iterdir() if file.is_file()), RUN_BOOK]


@pytest.mark.parametrize("file", documents(), ids=lambda file: file.name)
def test_every_setting_named_for_operators_exists(file: Path) -> None:
    named = set(re.findall(r"\bMAILBOX_([A-Z0-9_]+)", file.read_text("utf-8")))
    plain = {name.lower().removesuffix("_file") for name in named}
    assert plain <= set(FIELDS)


def test_every_setting_of_the_run_book_exists_with_the_default_it_names() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| `?([^`|]+?)`? \|", RUN_BOOK.read_text("utf-8"), re.M)
    assert rows
    default = Config()
    for name, value in rows:
        assert getattr(default, name) == ("" if value == "off" else value)
    assigned = set(re.findall(r"`([a-z_]+) = [^`]+`", RUN_BOOK.read_text("utf-8")))
    assert assigned <= set(FIELDS)


def test_settings_and_routes_are_documented_as_they_are_in_the_program() -> None:
    """Stale after a change in config.py or of a route? `make docs`."""
    checked = subprocess.run(
        [sys.executable, "-m", "scripts.docs", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr


def commands() -> list[str]:
    """Every `mailbox …` command that the documents tell an operator to type."""
    found: set[str] = set()
    for file in documents():
        for line in re.findall(
            r"(?:^\s{4,}|`|bin/|exec mailbox )mailbox ((?:[a-z]+ ?)+)",
            file.read_text("utf-8"),
            re.M,
        ):
            found.add(line.strip())
    return sorted(found)


@pytest.mark.parametrize("command", commands())
def test_every_command_named_for_operators_exists(command: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "mailbox_service", *command.split(), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    assert command.split()[-1] in answer.stdout


# Container ----------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), continued lines joined."""
    joined = text("Dockerfile").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [
        (word, rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in lines)
    ]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return found[start:]


def test_the_container_runs_as_an_ordinary_user_and_asks_itself_how_it_is() -> None:
    stage = last_stage()
    users = [rest for word, rest in stage if word == "USER"]
    assert users == ["mailbox"]
    assert 'CMD ["mailbox", "health"]' in next(
        rest for word, rest in stage if word == "HEALTHCHECK"
    )
    assert ("STOPSIGNAL", "SIGTERM") in stage
    assert ("VOLUME", "/data") in stage


def test_the_image_is_built_from_files_that_exist_and_are_sent_to_the_builder() -> None:
    sent = {
        line.removeprefix("!")
        for line in text("Dockerfile.dockerignore").splitlines()
        if line.startswith("!")
    }
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in sent, source
    assert {path for path in sent if not (ROOT / path).exists()} == set()


def test_the_image_holds_the_locked_versions_checked_by_their_hashes() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert installs
    for rest in installs:
        for command in re.findall(r"pip install [^&]+", rest):
            assert "--require-hashes -r requirements/" in command or "--no-deps dist/" in command


def test_compose_publishes_every_door_on_loopback_and_keeps_data_in_a_volume() -> None:
    services = compose()["services"]
    assert services["mailbox"]["ports"]
    for port in services["mailbox"]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)
    exposed = next(rest for word, rest in last_stage() if word == "EXPOSE").split()
    assert [port.rpartition(":")[2] for port in services["mailbox"]["ports"]] == exposed
    assert services["mailbox"]["volumes"] == ["data:/data"]
    assert set(compose()["volumes"]) == {"data", "postgres"}
    assert (
        DEPLOY / services["mailbox"]["build"]["context"] / "Makefile"
    ).resolve() == ROOT / "Makefile"


def test_compose_gives_the_service_no_right_it_does_not_need() -> None:
    service = compose()["services"]["mailbox"]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_postgresql_is_there_only_when_its_profile_is_asked_for() -> None:
    services = compose()["services"]
    assert services["postgres"]["profiles"] == ["postgres"]
    assert "ports" not in services["postgres"]
    assert services["mailbox"]["depends_on"]["postgres"]["required"] is False


# systemd ------------------------------------------------------------------------------------


def test_systemd_accepts_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    analyze = need("systemd-analyze")
    unit = tmp_path / "mailbox.service"
    # The program is not installed there on this machine; everything else is taken as it is.
    unit.write_text(
        re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text("mailbox.service"), flags=re.M)
    )
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60
    )
    complaints = [line for line in verified.stderr.splitlines() if "mailbox.service" in line]
    assert complaints == []
    assert verified.returncode == 0, verified.stderr
    graded = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert graded.returncode == 0, graded.stdout[-2000:]


def test_the_unit_keeps_the_service_to_its_own_folder_and_to_low_ports() -> None:
    lines = text("mailbox.service").splitlines()
    assert {
        "User=mailbox",
        "StateDirectory=mailbox",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "UMask=0077",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "ExecStart=/opt/mailbox/bin/mailbox serve --data /var/lib/mailbox",
    } <= set(lines)
    assert re.search(r"^u mailbox ", text("mailbox.sysusers"), re.M)


# Reverse proxies ----------------------------------------------------------------------------


def test_proxies_pass_live_updates_on_at_once_and_vouch_for_the_visitor() -> None:
    nginx, caddy = text("nginx.conf"), text("Caddyfile")
    events = re.search(r"location = /api/events \{(.+?)\}", nginx, re.S)
    assert events is not None
    assert "proxy_buffering off;" in events[1]
    assert "gzip off;" in events[1]
    assert "flush_interval -1" in caddy
    # Overwritten, never appended to what the visitor sent (hazard 47).
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert "proxy_set_header X-Real-IP $remote_addr;" in nginx
    assert "$proxy_add_x_forwarded_for" not in nginx


def test_proxies_let_the_largest_message_and_the_longest_wait_through() -> None:
    nginx, caddy = text("nginx.conf"), text("Caddyfile")
    largest = Config().max_message_size * 4 // 3
    for size in (
        re.search(r"client_max_body_size (\d+)m;", nginx),
        re.search(r"max_size (\d+)MB", caddy),
    ):
        assert size is not None
        assert int(size[1]) * 1_000_000 > largest
    waits = [int(seconds) for seconds in re.findall(r"proxy_read_timeout (\d+)s;", nginx)]
    assert len(waits) == 2
    assert min(waits) > 60
