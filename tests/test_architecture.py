"""The arrows of the house: who may import whom, and where each library lives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("mailbox_service", "smtp_proxy")

# The rooms, and the rooms that each may look into besides itself. The longest prefix decides.
ROOMS: dict[str, tuple[str, ...]] = {
    "mailbox_service.core": (),
    "mailbox_service.config": (),
    "mailbox_service.log": (),
    "mailbox_service.log_lines": (),
    "mailbox_service.memory": (),
    "mailbox_service.signals": (),
    "mailbox_service.configuring": ("mailbox_service.config",),
    "mailbox_service.first_run": ("mailbox_service.config", "mailbox_service.configuring"),
    "mailbox_service.storage": ("mailbox_service.core",),
    "mailbox_service.outbound": ("mailbox_service.core", "mailbox_service.config"),
    "mailbox_service.services": (
        "mailbox_service.core",
        "mailbox_service.config",
        "mailbox_service.log_lines",
        "mailbox_service.storage",
        "mailbox_service.signals",
    ),
    "mailbox_service.web": (
        "mailbox_service.core",
        "mailbox_service.config",
        "mailbox_service.services",
        "mailbox_service.signals",
    ),
    "smtp_proxy": ("mailbox_service.core", "mailbox_service.log_lines"),
    # For programs elsewhere: it speaks to the service over HTTP, and sees nothing of it.
    "mailbox_service.client": (),
    "mailbox_service.assembly": ("mailbox_service", "smtp_proxy"),
    "mailbox_service.service": ("mailbox_service", "smtp_proxy"),
    "mailbox_service.commands": ("mailbox_service",),
    "mailbox_service.__main__": ("mailbox_service.commands",),
    "mailbox_service": (),
}

# A library has one home, so that replacing it touches one place.
HOMES: dict[str, tuple[str, ...]] = {
    "aiosqlite": ("mailbox_service.storage",),
    "asyncpg": ("mailbox_service.storage",),
    "sqlite3": ("mailbox_service.storage",),
    "sqlalchemy": ("mailbox_service.storage",),
    "alembic": ("mailbox_service.storage",),
    "aiosmtplib": ("mailbox_service.outbound",),
    "dns": ("mailbox_service.outbound",),
    "jwt": ("mailbox_service.services.authenticating",),
    "argon2": ("mailbox_service.services.passwords",),
    "quickjs": ("mailbox_service.services.sending_api.rendering",),
    "starlette": ("mailbox_service.web",),
    "sse_starlette": ("mailbox_service.web",),
    "aiosmtpd": ("smtp_proxy",),
    "pymap": ("smtp_proxy.imap",),
    "httpx2": ("mailbox_service.outbound", "mailbox_service.client", "smtp_proxy.remote"),
    "httpcore2": ("mailbox_service.outbound",),
    "uvicorn": ("mailbox_service.web",),
    "brotli": ("mailbox_service.web.page",),
    "click": ("mailbox_service.commands", "mailbox_service.__main__", "smtp_proxy.__main__"),
    "email_validator": ("mailbox_service.core.address",),
    "nh3": ("mailbox_service.core.html",),
    "fast_mail_parser": ("mailbox_service.core",),
    "publicsuffixlist": ("mailbox_service.core.dmarc",),
    "altcha": ("mailbox_service.services.human_verification",),
    "jsonpath": ("mailbox_service.core.json_paths",),
    "aiosmpplib": ("mailbox_service.outbound.sms_smpp",),
    "flufl": ("mailbox_service.services.sending_api.returns",),
    "maxminddb": ("mailbox_service.services.network_database",),
    "webauthn": ("mailbox_service.services.passkeys",),
    "mcp": ("mailbox_service.web.agents.protocol",),
    "pytest": ("mailbox_service.client.pytest_plugin",),
    "mcp_types": ("mailbox_service.web.agents.protocol",),
}

# The core has no clock, no randomness and no way out.
NOT_IN_CORE = frozenset(
    {"asyncio", "logging", "os", "pathlib", "random", "secrets", "socket", "threading", "time"}
    | {"subprocess", "tempfile", "uuid", "httpx2", "ssl"}
)


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of ours with its dotted name."""
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, path


def imported(path: Path) -> set[str]:
    """The dotted names that a module imports, also inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def room_of(name: str) -> str:
    """The room that a module belongs to."""
    return max((room for room in ROOMS if within(name, room)), key=len)


MODULES = list(modules())


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_arrows_point_one_way(name: str, path: Path) -> None:
    """A module imports its own room and the rooms below it, nothing else of ours."""
    room = room_of(name)
    for target in imported(path):
        if target in OURS or not any(within(target, package) for package in OURS):
            continue
        if target == "mailbox_service.__version__":
            continue
        allowed = (room, *ROOMS[room])
        assert any(within(target, place) for place in allowed), (
            f"{name} looks into {target}; from {room} only {allowed} may be seen"
        )


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_each_library_has_one_home(name: str, path: Path) -> None:
    """Nothing outside a library's home imports it."""
    for target in imported(path):
        homes = HOMES.get(target.split(".")[0])
        if homes is not None:
            assert any(within(name, home) for home in homes), f"{name} imports {target}"


@pytest.mark.parametrize(
    ("name", "path"),
    [pair for pair in MODULES if within(pair[0], "mailbox_service.core")],
    ids=[name for name, _ in MODULES if within(name, "mailbox_service.core")],
)
def test_the_core_has_no_clock_no_randomness_and_no_way_out(name: str, path: Path) -> None:
    """Time, randomness and names come in as arguments, so that every rule can be tested."""
    tops = {target.split(".")[0] for target in imported(path)}
    assert not tops & NOT_IN_CORE, f"{name} imports {sorted(tops & NOT_IN_CORE)}"


def test_every_room_exists() -> None:
    """A room that was moved is moved here too."""
    names = {name for name, _ in MODULES}
    assert all(any(within(name, room) for name in names) for room in ROOMS)
