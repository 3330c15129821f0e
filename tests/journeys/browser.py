"""A person at the page: a profile of a browser, its clicks counted, its requests noted."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Page, Request

from tests.journeys.running import RunningService
from tests.programs import ROOT

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
DESK = (1280, 800)
PHONE = (390, 844)
SMALLEST = (320, 640)
Theme = Literal["light", "dark"]
# Colours do not depend on the width, nor the layout on colours: each is seen in each value.
LOOKS: tuple[tuple[tuple[int, int], Theme], ...] = (
    (DESK, "light"),
    (DESK, "dark"),
    (PHONE, "dark"),
    (SMALLEST, "light"),
)


@dataclass
class Visit:
    """One browser profile with one page of the service open."""

    service: RunningService
    context: BrowserContext
    page: Page
    clicks: int = 0
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    ended: list[Request] = field(default_factory=list)
    # Under what other names the service is asked, each with its port.
    own_names: set[str] = field(default_factory=set)

    def open(self, path: str = "/") -> None:
        self.page.goto(self.service.url + path)

    def click(self, selector: str | Locator) -> None:
        """One press, counted."""
        locator = self.page.locator(selector) if isinstance(selector, str) else selector
        locator.click()
        self.clicks += 1

    @property
    def foreign_requests(self) -> list[str]:
        """What was asked of anybody but the service; data and blob URLs ask nobody."""
        own = {urlsplit(self.service.url).netloc, *self.own_names}
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in ("data", "blob", "about")
            and urlsplit(url).netloc not in own
        ]

    def address(self) -> str:
        """The address of the first-visit page, when it can be copied: its frame says it before."""
        self.page.locator(".hero-acts .btn.primary:enabled").wait_for()
        heading = self.page.locator(".hero-addr")
        return heading.inner_text().replace("\n", "")

    def token(self) -> str:
        """The key of the current address, as the page remembers it."""
        book = json.loads(self.page.evaluate("localStorage['mailbox.addresses']"))
        return str(next(e["jwt"] for e in book["list"] if e["address"] == book["current"]))

    def clipboard(self) -> str:
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def settled(self) -> None:
        """The open line is up: mail from now on comes by itself."""
        self.page.locator(".live .pulse").first.wait_for(state="attached")

    def seen(self) -> str:
        """What the page shows and asked for, for whoever wonders why a test failed."""
        lines = [f"{self.page.url}: {self.complaints}"]
        for request in self.ended[-40:]:
            answer = None if request.failure else request.existing_response
            told = f"{answer.status}" if answer else request.failure or "no answer"
            lines.append(f"  {request.method} {request.url}: {told}")
        begun = self.requests[-40:]
        lines += [f"  unanswered: {url}" for url in begun if url not in {r.url for r in self.ended}]
        with contextlib.suppress(Error):
            lines.append(self.page.locator("body").inner_text(timeout=2_000)[:2_000])
        return "\n".join(lines)

    def sideways(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def accessibility_faults(self) -> list[str]:
        """What axe-core finds, one line each."""
        self.page.evaluate(axe_source())
        # Colours in the middle of a change are not the ones that are read.
        self.page.evaluate(
            "Promise.allSettled(document.getAnimations()"
            ".filter(a => a.effect?.getComputedTiming().endTime < 1e4).map(a => a.finished))"
        )
        found: dict[str, Any] = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations'], iframes: false})"
        )
        return [
            f"{fault['id']}: {node['target']} {node['failureSummary']}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]


Visits = Callable[..., Visit]


def axe_source() -> str:
    """axe-core from the page's own packages; without them the test is skipped, and fails with
    CI=true."""
    if not AXE.is_file():
        reason = "axe-core is not installed; try: npm ci in frontend"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return AXE.read_text()


def message(
    subject: str,
    text: str = "Hello",
    *,
    sender: str = "Ann <ann@sender.example>",
    headers: str = "",
) -> bytes:
    """A small mail in plain text."""
    return (
        f"From: {sender}\r\nTo: you@x.test\r\nSubject: {subject}\r\n"
        f"Message-ID: <{abs(hash((subject, text)))}@sender.example>\r\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n{headers}"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    ).encode()


def row(page: Page, subject: str) -> Locator:
    """The row of the list with this subject."""
    return page.locator(".row", has=page.get_by_role("link", name=subject))


def wait_until(page: Page, expression: str, arg: object = None) -> None:
    """Wait until an expression of the page is true. The driver's own way to wait evaluates text
    inside the page, which the page's policy forbids."""
    until = time.monotonic() + 30
    while not page.evaluate(expression, arg):
        assert time.monotonic() < until, expression
        page.wait_for_timeout(25)


def wait_until_so(
    page: Page, done: Callable[[], object], meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Wait until something is so that a single look at the page does not tell; `meanwhile` is what
    a person does between two looks."""
    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until, "it never was so"
        meanwhile()
        page.wait_for_timeout(50)


def read(path: str | Path) -> bytes:
    return Path(path).read_bytes()
