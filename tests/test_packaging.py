"""What a user installs: the wheel, the locks, and what no committed file may hold."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.programs import ROOT, need

LOCKS = ("service", "dev", "tools", "build", "node")
NODE_PROJECTS = ("frontend", "tests/node")
OURS = ("mailbox_service", "smtp_proxy")

# Written in two halves, for this file is one of those that may not name them.
INDEX_HOSTS = tuple(
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
    )
)

# Distribution -> module, where one does not follow from the other.
MODULES = {
    "argon2-cffi": "argon2",
    "dkimpy": "dkim",
    "dnspython": "dns",
    "flufl-bounce": "flufl",
    "pyjwt": "jwt",
    "pyspf": "spf",
    "quickjs-ng": "quickjs",
    "python-jsonpath": "jsonpath",
    "python-multipart": "multipart",
    "pyyaml": "yaml",
}
# Declared, never imported by us.
SILENT = {
    "uvloop": "uvicorn and the service ask for it by name",
    "httptools": "uvicorn asks for it by name",
    "greenlet": "SQLAlchemy's async engines, while Alembic runs on PostgreSQL",
    "sqlalchemy": "Alembic stands on it",
}


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        return tomllib.load(stream)


def committed() -> list[Path]:
    """The files of the next commit: those git tracks and those it does not ignore."""
    listed = subprocess.run(
        [need("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    files = {ROOT / name.decode() for name in listed.split(b"\0") if name}
    return sorted(file for file in files if file.is_file())


def declared() -> dict[str, Requirement]:
    """What pyproject.toml says the service needs, its PostgreSQL extra included."""
    table = project()["project"]
    lines = [*table["dependencies"], *table["optional-dependencies"]["postgres"]]
    return {canonicalize_name(item.name): item for item in map(Requirement, lines)}


# The wheel ----------------------------------------------------------------------------------


def pip() -> list[str]:
    """A Python whose pip can be run: ours, or that of the environment that builds ours."""
    for python in (sys.executable, str(ROOT / ".venv-uv" / "bin" / "python")):
        if Path(python).is_file():
            command = [python, "-m", "pip"]
            if subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
                return [*command, "--disable-pip-version-check", "--quiet"]
    pytest.fail("no pip: run make setup")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip wheel .` makes of the files of the next commit, and of nothing else."""
    checkout = tmp_path_factory.mktemp("checkout")
    for file in committed():
        copy = checkout / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    target = tmp_path_factory.mktemp("wheel")
    environment = {k: v for k, v in os.environ.items() if k != "SKIP_PAGE_BUILD"}
    done = subprocess.run(
        [*pip(), "wheel", "--no-deps", "--wheel-dir", str(target), "."],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed alone into a folder."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [*pip(), "install", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
        timeout=120,
    )
    return target


def test_the_wheel_holds_the_page_and_all_that_the_page_names(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        page = archive.read("mailbox_service/page/index.html").decode()
    # Links, and the scripts and styles that the document sends for itself.
    wanted = {
        *re.findall(r'(?:src|href)="\.?/([^"#?]+)"', page),
        *re.findall(r"assets/[\w.-]+", page),
    }
    assert any(name.endswith(".js") for name in wanted)
    assert {f"mailbox_service/page/{name}" for name in wanted} <= names


def test_the_wheel_holds_both_packages_whole_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0] for name in names} == {*OURS, "mailbox_service-" + version()}
    sources = {
        str(file.relative_to(ROOT))
        for file in committed()
        if file.relative_to(ROOT).parts[0] in OURS
    }
    assert {f"{package}/py.typed" for package in OURS} <= sources <= names


def version() -> str:
    return f"{project()['project']['version']}.dist-info"


def test_the_metadata_names_licence_python_and_both_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"mailbox_service-{version()}"
        metadata = HeaderParser().parsestr(archive.read(f"{folder}/METADATA").decode())
        commands = archive.read(f"{folder}/entry_points.txt").decode()
        assert f"{folder}/licenses/LICENSE" in archive.namelist()
    assert metadata["Name"] == "mailbox-service"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "mailbox = mailbox_service.__main__:main" in commands
    assert "smtp-proxy = smtp_proxy.__main__:main" in commands


def test_the_wheel_gives_pytest_its_fixtures(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        told = archive.read(points).decode()
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        extras = HeaderParser().parsestr(archive.read(metadata).decode()).get_all("Provides-Extra")
    assert "[pytest11]\nmailbox_service = mailbox_service.client.pytest_plugin" in told
    assert "pytest" in (extras or [])


def test_the_installed_wheel_finds_its_page_and_its_version(installed: Path) -> None:
    code = (
        "import importlib.metadata as m, importlib.resources as r, mailbox_service, smtp_proxy\n"
        "assert r.files(mailbox_service).joinpath('page', 'index.html').is_file()\n"
        "print(mailbox_service.__file__, smtp_proxy.__file__, m.version('mailbox-service'))"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=installed,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.split()
    assert [Path(path).is_relative_to(installed) for path in answer[:2]] == [True, True]
    assert answer[2] == project()["project"]["version"]


def test_the_installed_wheel_serves_its_page(installed: Path, tmp_path: Path) -> None:
    """`mailbox serve` with nothing configured but free ports; SIGTERM ends it in good order."""
    page = (installed / "mailbox_service" / "page" / "index.html").read_bytes()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILBOX_")}
    environment["PYTHONPATH"] = str(installed)
    doors = ("SUBMISSION", "RECEPTION", "IMAP", "POP3")
    environment |= {f"MAILBOX_{door}_LISTEN": "" for door in doors}
    environment["MAILBOX_HTTP_LISTEN"] = "127.0.0.1:0"
    service = subprocess.Popen(
        [sys.executable, "-P", "-m", "mailbox_service", "serve", "--data", str(tmp_path / "data")],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, service.kill)
    watchdog.start()
    try:
        assert service.stdout is not None
        line = next(line for line in service.stdout if "Page" in line)
        with urllib.request.urlopen(line.split()[-1] + "/", timeout=30) as answer:
            served = answer.read()
            # The document with something in each of its rooms, settings and frames.
            place = 0
            for piece in re.split(rb"{}|<!--head-->|<!--frames-->", page):
                assert piece in served[place:]
                place = served.index(piece, place) + len(piece)
            assert place == len(served)
            assert b"mailbox.localhost" in served
        service.send_signal(signal.SIGTERM)
        service.stdout.read()
        assert service.wait() == 0
    finally:
        watchdog.cancel()
        service.kill()
        service.communicate()


# Dependencies and locks ---------------------------------------------------------------------


def imported(*folders: str) -> dict[str, set[str]]:
    """Every foreign module that Python files in these folders import, and the files that do."""
    found: dict[str, set[str]] = {}
    own = {*OURS, "tests", "benchmarks", "scripts"}
    files = [file for file in committed() if file.suffix == ".py"]
    for file in (file for file in files if file.relative_to(ROOT).parts[0] in folders):
        for module in imports(ast.parse(file.read_text("utf-8"))):
            top = module.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in own:
                found.setdefault(top, set()).add(str(file.relative_to(ROOT)))
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def module_of(distribution: str) -> str:
    return MODULES.get(distribution, distribution.replace("-", "_"))


def in_extras() -> set[str]:
    """What some extra asks for; who installs without it must not need it."""
    groups = project()["project"]["optional-dependencies"].values()
    return {canonicalize_name(Requirement(line).name) for group in groups for line in group}


def test_every_library_we_import_is_declared() -> None:
    known = {module_of(name) for name in {*declared(), *in_extras()}}
    assert {name: files for name, files in imported(*OURS).items() if name not in known} == {}


def test_every_declared_library_is_imported_or_has_its_reason() -> None:
    modules = imported(*OURS)
    assert {name for name in declared() if module_of(name) not in modules} - set(SILENT) == set()


def for_development() -> set[str]:
    """What pyproject.toml asks for besides, for tests and checks."""
    return {
        canonicalize_name(Requirement(line).name) for line in project()["dependency-groups"]["dev"]
    }


def test_every_library_that_tests_and_benchmarks_import_is_declared() -> None:
    known = {module_of(name) for name in {*declared(), *in_extras(), *for_development()}}
    foreign = imported("tests", "benchmarks", "scripts")
    assert {name: files for name, files in foreign.items() if name not in known} == {}


def pins(lock: str) -> dict[str, list[tuple[str, Marker | None]]]:
    """Name -> the exact versions in a lock, each with the machines it is for."""
    found: dict[str, list[tuple[str, Marker | None]]] = {}
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    for block in re.split(r"\n(?=[a-z0-9])", text):
        if match := re.match(r"([a-z0-9._-]+)==(\S+)(?: ; (.+?))?(?: \\)?\n", block):
            assert "--hash=sha256:" in block, f"{lock}: {match[1]} has no hash"
            marker = Marker(match[3]) if match[3] else None
            found.setdefault(match[1], []).append((match[2], marker))
    return found


def test_the_locks_hold_what_is_declared() -> None:
    """Stale after a change in pyproject.toml? `make lock LOCK=`."""
    for lock in ("service", "dev"):
        locked = pins(lock)
        for name, requirement in declared().items():
            versions = [pin for pin, _ in locked.get(name, [])]
            assert versions, f"{name} is not in {lock}.txt"
            assert all(requirement.specifier.contains(pin) for pin in versions), name
    assert for_development() <= set(pins("dev"))


def test_tests_run_with_the_very_versions_that_users_get() -> None:
    development = pins("dev")
    assert {n: p for n, p in pins("service").items() if development.get(n) != p} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    assert pins(lock)
    assert "://" not in text
    assert re.findall(r"^\s*--(?!hash=)\S+", text, re.MULTILINE) == []


@pytest.mark.parametrize("folder", NODE_PROJECTS)
def test_an_npm_lock_names_no_registry_and_checks_every_package(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert {name for name, entry in packages.items() if "resolved" in entry} == set()
    assert {name for name, entry in packages.items() if "integrity" not in entry} == set()
    settings = (ROOT / folder / ".npmrc").read_text("utf-8").splitlines()
    assert "omit-lockfile-registry-resolved=true" in settings


def test_the_oldest_node_we_accept_is_what_the_page_s_tools_accept() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("npm_under_test", ROOT / "scripts" / "npm.py")
    assert spec is not None
    assert spec.loader is not None
    npm = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = npm  # where its dataclass looks itself up
    spec.loader.exec_module(npm)
    oldest = [(major, minor, 0) for major, minor in npm.OLDEST_NODE.items()]
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text("utf-8"))
    for name, entry in lock["packages"].items():
        wanted = entry.get("engines", {}).get("node", "*")
        assert [v for v in (*oldest, (24, 15, 0)) if not accepts(wanted, v)] == [], name
    for text, answer in {
        "v20.19.0": True,
        "v20.18.3": False,
        "v18.20.4": False,
        "v21.7.1": False,
        "v22.12.0": False,
        "v22.13.0": True,
        "v24.1.0": True,
        "": False,
        "not a version": False,
    }.items():
        assert npm.new_enough(text) is answer, text


def accepts(wanted: str, version: tuple[int, int, int]) -> bool:
    """npm's version ranges, as far as they occur: `^1.2.3`, `>=1.2`, `*`, joined by `||`."""
    for choice in wanted.split("||"):
        match = re.fullmatch(r"\s*(\^|>=|)\s*(\*|[0-9.]+)\s*", choice)
        assert match is not None, f"a range of another form: {wanted}"
        if match[2] == "*":
            return True
        floor = tuple(int(part) for part in match[2].split("."))
        if version >= floor and (match[1] == ">=" or version[0] == floor[0]):
            return True
    return False


# What is committed --------------------------------------------------------------------------


def test_no_committed_file_names_an_index_or_a_place_of_this_machine() -> None:
    """Funding links in npm locks are the packages' own words; those of an index are not there."""
    words = [host.encode() for host in INDEX_HOSTS]
    words += [f"{place}/".encode() for place in {str(ROOT), str(Path.home())} if len(place) > 1]
    found = [
        (str(file.relative_to(ROOT)), word.decode())
        for file in committed()
        for content in (file.read_bytes(),)
        for word in words
        if word in content
    ]
    assert found == []


def test_the_continuous_run_is_the_documented_command_made_strict() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [
        line for line in script.read_text("utf-8").splitlines() if line and not line.startswith("#")
    ]
    assert commands[0] == "set -euo pipefail"
    assert commands[-2:] == ["export CI=true", "make test"]


def test_make_offers_what_the_readme_promises() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    assert {"setup", "serve", "test", "check", "bench", "docs", "lock", "clean"} <= targets
