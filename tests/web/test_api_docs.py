"""docs/api has every route, with a command to call it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.web.site import Site

pytestmark = pytest.mark.anyio

PAGES = Path(__file__).parents[2] / "docs" / "api"
SECTION = re.compile(r"^## (GET|POST|PUT|PATCH|DELETE) (\S+)$(.*?)(?=^## |\Z)", re.M | re.S)


def sections() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for page in sorted(PAGES.glob("*.md")):
        for method, path, text in SECTION.findall(page.read_text()):
            assert (method, path) not in found, f"{method} {path} is there twice"
            found[method, path] = text
    return found


async def test_every_route_has_a_section_and_no_other(site: Site) -> None:
    routes = {
        (operation.method, re.sub(r"{(\w+)}", r":\1", operation.path))
        for operation in site.app.state.table.operations
    }
    assert set(sections()) == routes - {("GET", "/")}


def test_every_section_has_a_command_for_its_route() -> None:
    for (method, path), text in sections().items():
        (command,) = re.findall(r"```sh\n(.*?)```", text, re.S)
        assert command.startswith("curl "), path
        called = re.search(r'"\$URL([^"?]*)', command)
        assert called, path
        assert re.fullmatch(re.sub(r":\w+", r"\\w+", path), called[1]), path
        if method in ("PUT", "PATCH", "DELETE"):
            assert f"-X {method}" in command, path


def test_the_first_page_names_all_others() -> None:
    index = (PAGES / "README.md").read_text()
    for page in PAGES.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index
