"""Who may put a page of ours into a frame (hazard 32): Telegram Web the mini app, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.conftest import SiteWith

pytestmark = pytest.mark.anyio

INDEX = b"<!doctype html><title>mailbox</title>"
TELEGRAM = "frame-ancestors https://web.telegram.org"
NOBODY = "frame-ancestors 'none'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_bytes(INDEX)
    (page / "favicon.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    return page


@pytest.mark.parametrize(
    "path",
    ["/telegram_mail", "/telegram_mail/", "/de/telegram_mail", "/pt-BR/telegram_mail?mail_id=7"],
)
async def test_telegram_web_may_frame_the_mini_app_while_there_is_a_bot(
    site_with: SiteWith, folder: Path, path: str
) -> None:
    async with site_with(page=folder) as site:
        answer = await site.http.get(path)
        again = await site.http.get(path, headers={"If-None-Match": answer.headers["etag"]})
        for one in (answer, again):
            policy = one.headers["content-security-policy"]
            assert policy.count("frame-ancestors") == policy.count(TELEGRAM) == 1
            assert "x-frame-options" not in one.headers
        assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
        assert again.status_code == 304
    async with site_with(page=folder, telegram_bot_token="") as site:
        answer = await site.http.get(path)
        assert NOBODY in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index.html",
        "/admin",
        "/user",
        "/de/",
        "/telegram_mail/x",
        "/telegram_mailbox",
        "/x/y/telegram_mail",
        "/admin/telegram_mail",
        "//telegram_mail",
        "/telegram_mail%0a",
    ],
)
async def test_no_other_page_is_framed_by_anybody(
    site_with: SiteWith, folder: Path, path: str
) -> None:
    async with site_with(page=folder) as site:
        answer = await site.http.get(path)
        assert "telegram.org" not in answer.headers["content-security-policy"]
        if answer.content == INDEX:
            assert NOBODY in answer.headers["content-security-policy"]
            assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/favicon.svg", "/docs", "/openapi.json", "/health_check"])
async def test_what_is_no_page_is_left_as_it_is(
    site_with: SiteWith, folder: Path, path: str
) -> None:
    async with site_with(page=folder) as site:
        answer = await site.http.get(path)
        assert "telegram.org" not in answer.headers.get("content-security-policy", "")
