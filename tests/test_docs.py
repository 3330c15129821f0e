"""Documentation that cannot rot: what it names exists, and what exists is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailbox_service.__main__ import COMMANDS
from mailbox_service.config import FIELDS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} does not exist"


def test_every_setting_is_in_the_settings_page() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    missing = [name for name in FIELDS if f"`{name}`" not in text]
    assert not missing


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`", (ROOT / "README.md").read_text("utf-8")))
    assert named
    assert named <= targets


def test_commands_of_the_readme_exist() -> None:
    named = set(re.findall(r"`mailbox ([a-z-]+)", (ROOT / "README.md").read_text("utf-8")))
    assert named
    assert named <= set(COMMANDS)


def test_every_file_that_the_flows_name_exists() -> None:
    text = (ROOT / "docs" / "flows.md").read_text("utf-8")
    for name in set(re.findall(r"(?:[a-z_]+/)+[a-z_]+\.py", text)):
        assert (ROOT / name).is_file() or (ROOT / "mailbox_service" / name).is_file(), name
