"""Programs that some tests talk to and that no lock file can hold: mail clients, a browser, Node.

A test asks by name, `need("swaks")`, and gets the path. Where the program is missing the test is
skipped and says which one it wanted; with CI=true that is a failure, for a check that silently
does not run is no check. `python -m tests.programs` (make test does it first) installs what is
missing with apt, where that may be done: as root on a Debian system.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Program -> the Debian packages that bring it; without those after the first, swaks has no TLS and
# neomutt no AUTH.
PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "gcc": "gcc libc6-dev",
    "git": "git",
    "mbsync": "isync",
    "neomutt": "neomutt libsasl2-modules",
    "openssl": "openssl",
    "smtp-sink": "postfix",
    "smtp-source": "postfix",
    "swaks": "swaks libnet-ssleay-perl",
    "systemd-analyze": "systemd",
}

# Postfix is wanted for two of its programs; with this answer its package configures and starts
# no mail server.
DEBCONF = "postfix postfix/main_mailer_type select No configuration\n"

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

# The same engine with no part of a window: half the work for every page that a test opens.
HEADLESS = "chromium-headless-shell"

APT_LIMIT = 900  # seconds: Chromium is 100 MB and more, and mirrors may be slow


def need(program: str) -> str:
    """The path of `program`; without it the calling test is skipped, and fails with CI=true."""
    path = _find(program)
    if path is None:
        package = PACKAGES.get(program, program)
        _leave_out(f"{program} is not on this machine; try: sudo apt-get install {package}")
    return path


@cache
def _node() -> str:
    tools = ROOT / ".venv-uv" / "bin" / "python"  # it may hold a Node of its own
    python = str(tools) if tools.is_file() else sys.executable
    answer = subprocess.run(
        [python, str(ROOT / "scripts" / "npm.py"), "--node"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return answer.stdout.strip()


def need_node() -> str:
    """The path of a Node that is new enough: the machine's own, or the one make installed."""
    path = _node()
    if not path:
        _leave_out("Node is not on this machine; try: make test")
    return path


def need_node_package(name: str) -> tuple[str, Path]:
    """Node's path and the folder from which `import name` works in a script of a test."""
    folder = ROOT / "tests" / "node"
    if not (folder / "node_modules" / name / "package.json").is_file():
        _leave_out(f"the npm package {name} is not installed; try: npm ci in tests/node")
    return need_node(), folder


def chromium() -> str:
    """The path of a Chromium that starts, installed if need be.

    Looks for the system's own, then Playwright's, then tries apt and Playwright's download. When
    all of that fails the test fails, whatever CI says, with the command to type: the page's
    tests are too large a part of the suite to be left out unseen.
    """
    path = _browser(may_install=True)
    if path is None:
        pytest.fail(CHROMIUM_ADVICE, pytrace=False)
    return path


def headless_chromium() -> str:
    """The path of a Chromium that was built to run without a window; where there is none, of the
    whole browser, as `chromium` finds it."""
    return _headless() or chromium()


CHROMIUM_ADVICE = (
    "no Chromium on this machine, and none could be installed. Type one of:\n"
    "    sudo apt-get install chromium\n"
    f"    {sys.executable} -m playwright install --with-deps chromium"
)


def _leave_out(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{reason} (with CI=true nothing may be left out)", pytrace=False)
    pytest.skip(reason)


def _find(program: str) -> str | None:
    # An ordinary user's PATH may lack the folders where servers' tools live.
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    return shutil.which(program, path=path)


@cache
def _headless() -> str | None:
    path = _find(HEADLESS)
    return path if path and _starts(path) else None


@cache
def _browser(*, may_install: bool) -> str | None:
    for find in (_system_browser, _playwright_browser):
        if path := find():
            return path
    if not may_install:
        return None
    if _may_use_apt() and _apt_install(["chromium"]) and (path := _system_browser()):
        return path
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], timeout=APT_LIMIT)
    return _playwright_browser()


def _system_browser() -> str | None:
    # Ubuntu's package is an empty shell that only names a snap: believe what starts.
    return next((path for name in BROWSERS if (path := _find(name)) and _starts(path)), None)


def _playwright_browser() -> str | None:
    # In a process of its own: Playwright's synchronous door refuses to open inside a running loop.
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    path = answer.stdout.strip()
    return path if answer.returncode == 0 and Path(path).is_file() and _starts(path) else None


def _starts(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _may_use_apt() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _apt_install(packages: list[str]) -> bool:
    """Install without a question; False when apt could not. What it says goes to our output."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    get = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    try:
        if "postfix" in packages:
            subprocess.run(["debconf-set-selections"], input=DEBCONF, text=True, check=False)
        subprocess.run([*get, "update"], env=environment, timeout=APT_LIMIT, check=False)
        done = subprocess.run(
            [*get, "install", "-y", "--no-install-recommends", *packages],
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=APT_LIMIT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"apt: {error}", file=sys.stderr)
        return False
    return done.returncode == 0


def main() -> int:
    """Install what is missing, where that may be done; 1 when there is no browser in the end."""
    missing = sorted(
        {
            package
            for program, packages in PACKAGES.items()
            if program != "chromium" and _find(program) is None
            for package in packages.split()
        }
    )
    if _browser(may_install=False) is None:
        missing.append("chromium")
    if missing and _may_use_apt():
        print(f"programs for tests: installing {' '.join(missing)}")
        _apt_install(missing)
        _browser.cache_clear()
    # By itself: where it is not known, nothing else may fail with it.
    if _find(HEADLESS) is None and _may_use_apt():
        _apt_install([HEADLESS])
    for program in PACKAGES:
        if program != "chromium" and _find(program) is None:
            print(f"programs for tests: no {program}; the tests that need it are left out")
    if _browser(may_install=True) is None:
        print(CHROMIUM_ADVICE, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
