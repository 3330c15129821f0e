"""The TypeScript client: fresh, strict TypeScript, and at work against the running service."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.docs import typescript
from tests.journeys.running import RunningService, running
from tests.programs import need_node

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "clients" / "typescript"
# The page's compiler; the client itself depends on nothing.
COMPILER = ROOT / "frontend" / "node_modules" / "typescript" / "bin" / "tsc"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    yield from running(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as it is published."""
    folder = tmp_path_factory.mktemp("client")
    done = subprocess.run(
        [need_node(), COMPILER, "--project", CLIENT, "--outDir", folder],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def test_the_generated_part_is_what_the_routes_say() -> None:
    """Stale after a change of a route? `make docs`."""
    assert (CLIENT / "src" / "generated.ts").read_text("utf-8") == typescript()


def test_every_file_of_the_package_is_compiled(compiled: Path) -> None:
    for name in ("index", "generated", "caller", "mailbox"):
        assert (compiled / f"{name}.js").is_file()
        assert (compiled / f"{name}.d.ts").is_file()
    package = json.loads((CLIENT / "package.json").read_text())
    assert package["main"] == "./dist/index.js"
    assert "dependencies" not in package


def test_it_opens_waits_sends_and_closes(compiled: Path, service: RunningService) -> None:
    done = subprocess.run(
        [need_node(), ROOT / "tests" / "node" / "client.mjs", compiled, service.url],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "code": "735911",
        "text": "Your verification code is 735911.",
        "opened": "annofnode@x.test",
        "count": 1,
        "raw": True,
        "again": True,
        "taken": [400, "AddressAlreadyExists"],
        "same": True,
        "closed": True,
    }
