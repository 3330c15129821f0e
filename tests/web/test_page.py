"""The page from its folder: nothing else is reachable, nothing foreign runs (hazards 35, 49)."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from threading import Event

import anyio
import brotli  # type: ignore[import-untyped]
import pytest

from mailbox_service.web import page
from mailbox_service.web.page import Page
from tests.web.conftest import SiteWith
from tests.web.site import SITE_PASSWORD, Site

pytestmark = pytest.mark.anyio

INDEX = b"<!doctype html><title>mailbox</title>"
SCRIPT = b"console.log('mailbox');\n" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_bytes(INDEX)
    (page / "favicon.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    (page / "manifest.webmanifest").write_bytes(b"{}")
    (page / "assets" / "index-a1b2c3d4.js").write_bytes(SCRIPT)
    (tmp_path / "secret.txt").write_bytes(b"s3cret")
    return page


@pytest.mark.parametrize("path", ["/", "/admin", "/connect", "/some/where", "/index.html"])
async def test_the_page_answers_every_path_without_a_dot(
    site_with: SiteWith, folder: Path, path: str
) -> None:
    async with site_with(page=folder) as site:
        answer = await site.http.get(path)
        assert (answer.status_code, answer.content) == (200, INDEX)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe-eval" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_widget_of_turnstile_may_load_where_it_is_set_up_and_nowhere_else(
    site_with: SiteWith, folder: Path
) -> None:
    keys = {"cf_turnstile_site_key": "public", "cf_turnstile_secret_key": "secret"}
    for settings, allowed in (({}, 0), (keys, 2), ({"enable_altcha": True}, 0)):
        async with site_with(page=folder, **settings) as site:
            policy = (await site.http.get("/")).headers["content-security-policy"]
            assert policy.count("https://challenges.cloudflare.com") == allowed
            assert policy.count("challenges") == allowed


async def test_the_page_carries_the_settings_and_nothing_in_them_is_markup(
    site_with: SiteWith, folder: Path
) -> None:
    room = b'<script type="application/json" id="settings">{}</script>'
    (folder / "index.html").write_bytes(b"<!doctype html>" + room)
    hostile = "</script><script>alert(1)</script><!--&amp;"
    async with site_with(page=folder, announcement=hostile, passwords=["lantern"]) as site:
        text = (await site.http.get("/")).text
        assert text.count("<") == 3
        told = json.loads(text.split(">", 2)[2].removesuffix("</script>"))
        assert told["announcement"] == hostile
        assert told == (await site.http.get("/open_api/settings")).json()
        assert told["needAuth"] is True


async def test_what_is_the_services_stays_the_services(site_with: SiteWith, folder: Path) -> None:
    async with site_with(page=folder) as site:
        assert (await site.http.get("/health_check")).text == "OK"
        assert (await site.http.get("/api/nope")).status_code == 401
        assert (await site.http.get("/admin/nope")).status_code == 401
        assert (await site.http.get("/open_api/nope")).status_code == 404
        assert (await site.http.post("/", content=b"x")).status_code == 404
        assert (await site.http.get("/openapi.json")).json()["openapi"] == "3.1.0"


async def test_files_whose_names_carry_a_hash_are_kept_for_ever(
    site_with: SiteWith, folder: Path
) -> None:
    async with site_with(page=folder) as site:
        path = "/assets/index-a1b2c3d4.js"
        answer = await site.http.get(path, headers={"Accept-Encoding": "identity"})
        assert answer.content == SCRIPT
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        packed = await site.http.get(path, headers={"Accept-Encoding": "br, gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(SCRIPT)
        assert packed.content == SCRIPT
        known = {"If-None-Match": answer.headers["etag"]}
        again = await site.http.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert (await site.http.get("/favicon.svg")).headers["cache-control"] == "no-cache"
        manifest = await site.http.get("/manifest.webmanifest")
        assert manifest.headers["content-type"] == "application/manifest+json"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/../../secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/x//secret.txt",
        "/./index-x.js",
        "/missing.js",
        "/index.html/x.js",
        "/assets/",
        "/%00.js",
        "/.env",
        "/con.txt",
    ],
)
async def test_no_path_leads_out_of_the_folder(
    site_with: SiteWith, folder: Path, path: str
) -> None:
    async with site_with(page=folder) as site:
        answer = await site.http.get(path)
        assert answer.content == (INDEX if path == "/assets/" else b"Not Found")
        assert b"s3cret" not in answer.content


async def test_a_private_site_shows_its_page_which_asks_for_the_password(
    site_with: SiteWith, folder: Path
) -> None:
    async with site_with(page=folder, passwords=[SITE_PASSWORD]) as site:
        assert (await site.http.get("/")).content == INDEX
        assert (await site.http.get("/open_api/settings")).json()["needAuth"] is True
        assert (await site.http.get("/health_check")).status_code == 401


def test_a_folder_without_a_page_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"index\.html"):
        Page(tmp_path)


def test_packing_is_reproducible(folder: Path) -> None:
    first, second = Page(folder), Page(folder)
    name = "assets/index-a1b2c3d4.js"
    assert first._assets[name].packed == second._assets[name].packed
    assert gzip.decompress(first._assets[name].packed or b"") == SCRIPT


def frames(**places: dict[str, tuple[str, str]]) -> bytes:
    """What the build says of places."""
    told = {
        place: {tag: {"head": head, "body": body} for tag, (head, body) in languages.items()}
        for place, languages in places.items()
    }
    return json.dumps(told).encode()


DOCUMENT = (
    b'<!doctype html>\n<html lang="en"><head><!--head-->'
    b'<script type="application/json" id="settings">{}</script>'
    b'<script type="application/json" id="accounts">{}</script></head>'
    b"<body><!--frames--><script>begin()</script></body></html>"
)


@pytest.fixture
def framed(folder: Path) -> Path:
    (folder / "index.html").write_bytes(DOCUMENT)
    (folder / "frames.json").write_bytes(
        frames(
            mailbox={"en": ("", "Inbox"), "de": ("", "Posteingang"), "pt-BR": ("", "Entrada")},
            account={"en": ('<meta name="load">', "Sign in"), "de": ("", "Anmelden")},
            admin={"en": ("", "Administration"), "de": ("", "Verwaltung")},
        )
    )
    return folder


@pytest.mark.parametrize(
    ("path", "wishes", "language", "says"),
    [
        ("/", "", "en", "Inbox"),
        ("/", "de", "de", "Posteingang"),
        ("/", "de-AT,en;q=0.5", "de", "Posteingang"),
        ("/", "en;q=0.5, de;q=0.9", "de", "Posteingang"),
        ("/", "pt", "pt-BR", "Entrada"),
        ("/", "xx, *;q=0.1", "en", "Inbox"),
        ("/", "de;q=x", "de", "Posteingang"),
        ("/", ";;,,=", "en", "Inbox"),
        ("/de/", "en", "de", "Posteingang"),
        ("/user", "en", "en", "Sign in"),
        ("/de/user", "en", "de", "Anmelden"),
        ("/admin", "de", "de", "Verwaltung"),
        ("/some/where", "de", "de", "Posteingang"),
    ],
)
async def test_a_document_holds_the_frame_of_its_place_in_a_language_that_was_wished_for(
    site_with: SiteWith, framed: Path, path: str, wishes: str, language: str, says: str
) -> None:
    async with site_with(page=framed) as site:
        answer = await site.http.get(path, headers={"Accept-Language": wishes})
        assert f'<html lang="{language}">' in answer.text
        assert f"<body>{says}<script>" in answer.text
        assert answer.headers["vary"] == "Accept-Encoding, Accept-Language"
        again = await site.http.get(
            path, headers={"Accept-Language": wishes, "If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304
        assert (await site.http.get("/frames.json")).status_code == 404


async def test_the_script_of_the_document_is_allowed_by_its_hash_alone(
    site_with: SiteWith, framed: Path
) -> None:
    async with site_with(page=framed) as site:
        policy = (await site.http.get("/")).headers["content-security-policy"]
        code = b64encode(sha256(b"begin()").digest()).decode()
        assert f"script-src 'self' 'sha256-{code}';" in policy
        assert "script-src 'self' 'unsafe-inline'" not in policy


async def test_the_page_of_accounts_carries_how_they_are_opened(
    site_with: SiteWith, framed: Path
) -> None:
    async with site_with(page=framed) as site:
        told = (await site.http.get("/user_api/open_settings")).text
        carried = f'<script type="application/json" id="accounts">{told}</script>'
        assert carried in (await site.http.get("/user")).text
        assert carried not in (await site.http.get("/")).text


async def test_a_file_that_the_build_has_packed_goes_out_so(
    site_with: SiteWith, folder: Path
) -> None:
    (folder / "assets" / "index-a1b2c3d4.js.br").write_bytes(b"packed")
    async with site_with(page=folder) as site:
        path = "/assets/index-a1b2c3d4.js"
        async with site.http.stream("GET", path, headers={"Accept-Encoding": "br"}) as answer:
            assert answer.headers["content-encoding"] == "br"
            assert b"".join([one async for one in answer.aiter_raw()]) == b"packed"
        plain = await site.http.get(path, headers={"Accept-Encoding": "gzip"})
        assert (plain.headers["content-encoding"], plain.content) == ("gzip", SCRIPT)
        assert (await site.http.get(path + ".br")).status_code == 404


async def test_the_document_is_packed_by_whatever_its_reader_takes(
    site_with: SiteWith, framed: Path
) -> None:
    (framed / "index.html").write_bytes(DOCUMENT + b"<!-- long -->" * 200)
    async with site_with(page=framed) as site:
        plain = (await site.http.get("/", headers={"Accept-Encoding": "identity"})).content
        for coding, unpacked in (("br", brotli.decompress), ("gzip", gzip.decompress)):
            async with site.http.stream("GET", "/", headers={"Accept-Encoding": coding}) as answer:
                assert answer.headers["content-encoding"] == coding
                packed = b"".join([one async for one in answer.aiter_raw()])
            assert unpacked(packed) == plain


async def test_a_document_is_packed_as_hard_as_can_be_while_others_are_answered(
    site_with: SiteWith, framed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (framed / "index.html").write_bytes(DOCUMENT + b"<!-- long -->" * 200)
    let_go, packed_hard = Event(), page.packed_hard

    def held(document: bytes) -> bytes:
        assert let_go.wait(30)
        return packed_hard(document)

    monkeypatch.setattr(page, "packed_hard", held)
    async with site_with(page=framed) as site:
        plain = (await site.http.get("/", headers={"Accept-Encoding": "identity"})).content
        assert brotli.decompress(await packed(site)) == plain
        let_go.set()
        with anyio.fail_after(30):
            while await packed(site) != packed_hard(plain):  # noqa: ASYNC110 - it tells nobody
                await anyio.sleep(0.01)


async def packed(site: Site) -> bytes:
    """The document as a browser gets it that takes brotli."""
    async with site.http.stream("GET", "/", headers={"Accept-Encoding": "br"}) as answer:
        assert answer.headers["content-encoding"] == "br"
        return b"".join([one async for one in answer.aiter_raw()])
