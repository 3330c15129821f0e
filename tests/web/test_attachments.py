"""Saved attachments (mailbox-api §3.3): one table of cases, run on a simulated object store and on
the folder of our own. Clients fetch and send by the signed addresses, as browsers do."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

import anyio.to_thread
import pytest

from mailbox_service.config import Config
from mailbox_service.outbound.object_store import ObjectStore
from mailbox_service.services import files as module
from mailbox_service.storage import abandoned_files
from tests.http_server import HttpServer
from tests.object_store import BUCKET, KEY_ID, SECRET, s3_endpoint
from tests.web.conftest import SiteWith
from tests.web.site import Mailbox, Site, serving

pytestmark = pytest.mark.anyio

__all__ = ["s3_endpoint"]

Kind = Literal["s3", "local"]
FILE = bytes(range(256)) * 3000


class Store:
    """A site with a place for attachments, on a real socket."""

    def __init__(self, site: Site, kind: Kind, base: str) -> None:
        self.site = site
        self.kind = kind
        self.base = base

    async def ask(self, box: Mailbox, what: str, key: object = None) -> Any:
        """One of the four routes, in the name of the owner."""
        headers = {**box.auth, "host": self.base.removeprefix("http://")}
        if what == "list":
            return await self.site.http.get("/api/attachment/list", headers=headers)
        return await self.site.http.post(
            f"/api/attachment/{what}", headers=headers, json={"key": key}
        )

    async def url(self, box: Mailbox, what: str, key: str) -> str:
        answer = await self.ask(box, what, key)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"url"}
        return str(answer.json()["url"])

    async def keys(self, box: Mailbox) -> list[str]:
        answer = await self.ask(box, "list")
        assert answer.status_code == 200, answer.text
        return [row["key"] for row in answer.json().get("results", [])]

    async def save(self, box: Mailbox, key: str, content: bytes = FILE) -> None:
        status, _, text = await sent("PUT", await self.url(box, "put_url", key), content)
        assert status == 200, text

    async def load(self, box: Mailbox, key: str) -> bytes:
        status, _, body = await sent("GET", await self.url(box, "get_url", key))
        assert status == 200, body
        return body


async def sent(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """What a client without any credential gets under an address."""
    plain = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(url, data=body, method=method, headers=headers or plain)

    def call() -> tuple[int, dict[str, str], bytes]:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    return await anyio.to_thread.run_sync(call)


@pytest.fixture(params=["s3", "local"])
async def store(request: pytest.FixtureRequest, site_with: SiteWith) -> AsyncIterator[Store]:
    kind: Kind = request.param
    settings: dict[str, Any] = {"local_attachments": True, "attachment_quota": 20_000_000}
    if kind == "s3":
        settings = s3_settings(request.getfixturevalue("s3_endpoint"))
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(site_with(**settings))
        host, port = await stack.enter_async_context(serving(site))
        if site.parts.object_store is not None:
            stack.push_async_callback(site.parts.object_store.close)
        yield Store(site, kind, f"http://{host}:{port}")


def s3_settings(endpoint: str) -> dict[str, Any]:
    return {
        "s3_endpoint": endpoint,
        "s3_access_key_id": KEY_ID,
        "s3_secret_access_key": SECRET,
        "s3_bucket": BUCKET,
        "s3_private_addresses": True,
    }


async def fresh(store: Store, name: str) -> Mailbox:
    """A mailbox that no other test has: the simulated store is kept for the whole run."""
    return await store.site.open(f"{name}{store.kind}")


NAMES = ["report.pdf", "发票 2026.pdf", "12/photo (1).jpg", "a+b&c=d%20e?#.txt", "x" * 300, "..a"]


async def test_what_is_saved_is_listed_fetched_and_deleted(store: Store) -> None:
    box = await fresh(store, "files")
    assert (await store.ask(box, "list")).json() == {}
    for number, name in enumerate(NAMES):
        await store.save(box, name, FILE + bytes([number]))
    assert sorted(await store.keys(box)) == sorted(NAMES)
    for number, name in enumerate(NAMES):
        assert await store.load(box, name) == FILE + bytes([number])
    for name in NAMES[1:]:
        assert (await store.ask(box, "delete", name)).json() == {"success": True}
    assert (await store.ask(box, "list")).json() == {"results": [{"key": NAMES[0]}]}
    assert (await store.ask(box, "delete", "not there")).json() == {"success": True}
    status, _, _ = await sent("GET", await store.url(box, "get_url", NAMES[1]))
    assert status == 404


async def test_a_name_saved_again_holds_the_new_bytes(store: Store) -> None:
    box = await fresh(store, "again")
    await store.save(box, "a.txt", b"first")
    await store.save(box, "a.txt", b"second")
    assert await store.load(box, "a.txt") == b"second"
    assert await store.keys(box) == ["a.txt"]


async def test_nobody_sees_the_files_of_others(store: Store) -> None:
    ann, bob = await fresh(store, "ann"), await fresh(store, "annb")
    await store.save(ann, "secret.txt", b"mine")
    assert await store.keys(bob) == []
    status, _, _ = await sent("GET", await store.url(bob, "get_url", "secret.txt"))
    assert status == 404
    await store.ask(bob, "delete", "secret.txt")
    assert await store.load(ann, "secret.txt") == b"mine"


@pytest.mark.parametrize(
    "key", ["", "../x", "a/../../b", "a\\b", "a\nb", "x" * 701, None, 7, ["a"]]
)
async def test_names_that_lead_elsewhere_are_refused_hazard_30(store: Store, key: object) -> None:
    box = await fresh(store, "names")
    for what in ("put_url", "get_url", "delete"):
        assert (await store.ask(box, what, key)).status_code == 400


async def test_whoever_opens_the_name_next_inherits_nothing(store: Store) -> None:
    box = await fresh(store, "next")
    late = await store.url(box, "get_url", "old.txt")
    await store.save(box, "old.txt", b"old")
    closed = await store.site.http.delete("/api/delete_address", headers=box.auth)
    assert closed.status_code == 200
    again = await fresh(store, "next")
    assert await store.keys(again) == []
    status, _, _ = await sent("GET", late)
    assert status in (401, 404)
    await store.save(again, "new.txt", b"new")
    await store.site.parts.files.remove_some()
    assert await store.keys(again) == ["new.txt"]


async def test_what_closed_addresses_left_is_removed_by_and_by(store: Store) -> None:
    box = await fresh(store, "gone")
    await store.save(box, "old.txt", b"old")
    await store.site.http.delete("/api/delete_address", headers=box.auth)
    await store.site.parts.files.remove_some()
    assert await store.site.parts.database.read(abandoned_files.some, limit=10) == []
    assert await store.site.parts.files._all(box.address) == []


async def test_the_page_is_told_that_there_is_a_store(store: Store) -> None:
    assert (await store.site.http.get("/open_api/settings")).json()["isS3Enabled"] is True


# Without a store


ROUTES = [
    ("GET", "/api/attachment/list"),
    ("POST", "/api/attachment/put_url"),
    ("POST", "/api/attachment/get_url"),
    ("POST", "/api/attachment/delete"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_store_the_contract_s_failure(site: Site, method: str, path: str) -> None:
    auth = (await site.open()).auth
    answer = await site.http.request(method, path, headers=auth, json={"key": "a"})
    assert (answer.status_code, answer.text) == (500, "Error S3 config is not set")
    assert (await site.http.get("/open_api/settings")).json()["isS3Enabled"] is False
    await site.parts.files.remove_some()


# Our own signed addresses


@pytest.fixture
async def local(site_with: SiteWith) -> AsyncIterator[Store]:
    """A folder, on a private site with small limits."""
    async with (
        site_with(
            local_attachments=True, attachment_quota=100_000, max_message_size=65_536
        ) as site,
        serving(site) as (host, port),
    ):
        yield Store(site, "local", f"http://{host}:{port}")


def spoiled(url: str) -> list[str]:
    words, _, proof = url.rpartition(".")
    swapped = proof[:-2] + ("AA" if proof[-2:] != "AA" else "BA")
    return [f"{words}.{swapped}", f"{words}.", words, f"{words}x.{proof}", f"{url}.x", url[:-20]]


async def test_a_signed_address_is_for_one_method_and_cannot_be_changed(local: Store) -> None:
    box = await local.site.open()
    await local.save(box, "a.txt", b"text")
    put = await local.url(box, "put_url", "a.txt")
    get = await local.url(box, "get_url", "a.txt")
    assert (await sent("PUT", get, b"other"))[0] == 401
    assert (await sent("GET", put))[0] == 401
    for url in (*spoiled(get), get.partition("?")[0]):
        assert (await sent("GET", url))[0] == 401
    assert await local.load(box, "a.txt") == b"text"


async def test_a_signed_address_ends(local: Store) -> None:
    box = await local.site.open()
    await local.save(box, "a.txt", b"text")
    url = await local.url(box, "get_url", "a.txt")
    clock = local.site.parts.files._clock
    local.site.parts.files._clock = lambda: clock() + 361_000_000
    assert (await sent("GET", url))[0] == 401


async def test_a_file_is_saved_and_never_shown_hazard_35(local: Store) -> None:
    box = await local.site.open()
    page = b"<script>alert(1)</script>"
    await local.save(box, "x/evil.html", page)
    url = await local.url(box, "get_url", "x/evil.html")
    status, headers, body = await sent("GET", url)
    assert (status, body) == (200, page)
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith('attachment; filename="evil.html"')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox")
    assert headers["content-length"] == str(len(page))
    assert headers["access-control-allow-origin"] == "*"
    assert (await sent("HEAD", url))[2] == b""


async def test_too_large_and_too_many_octets_are_refused_and_leave_nothing(local: Store) -> None:
    box = await local.site.open()
    await local.save(box, "a", b"x" * 60_000)
    status, _, text = await sent("PUT", await local.url(box, "put_url", "b"), b"x" * 65_537)
    assert (status, text) == (413, b"The request body is larger than 65536 octets")
    status, _, text = await sent("PUT", await local.url(box, "put_url", "b"), b"x" * 40_001)
    assert (status, text) == (400, b"Attachments of one address take 100000 octets at most")
    await local.save(box, "a", b"y" * 65_000)  # in place of what it was
    assert await local.keys(box) == ["a"]
    folder = local.site.parts.files._local._root / "unfinished"
    assert list(folder.iterdir()) == []


async def test_a_file_whose_size_nobody_told_is_measured_as_it_comes(local: Store) -> None:
    box = await local.site.open()
    host, _, port = local.base.removeprefix("http://").partition(":")
    target = (await local.url(box, "put_url", "b")).removeprefix(local.base)

    def call() -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        with contextlib.closing(connection):
            pieces = iter([b"x" * 30_000] * 3)
            connection.request("PUT", target, body=pieces, encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})  # fmt: skip
            answer = connection.getresponse()
            return answer.status, answer.read()

    assert await anyio.to_thread.run_sync(call) == (
        413,
        b"The attachment is larger than 65536 octets",
    )
    assert await local.keys(box) == []


async def test_no_address_has_more_files_than_a_list(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    box = await local.site.open()
    for key in ("a", "b", "b"):
        await local.save(box, key, b"")
    status, _, _ = await sent("PUT", await local.url(box, "put_url", "c"), b"")
    assert status == 400


async def test_a_form_is_refused_since_its_frame_would_be_saved_too(local: Store) -> None:
    box = await local.site.open()
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    url = await local.url(box, "put_url", "a")
    assert (await sent("PUT", url, b"--x--", form))[0] == 400


async def test_addresses_name_the_host_that_the_client_named(site_with: SiteWith) -> None:
    async with site_with(local_attachments=True, trusted_proxies=["127.0.0.1"]) as site:
        box = await site.open()
        headers = {**box.auth, "host": "mail.example", "x-forwarded-proto": "https"}
        answer = await site.http.post("/api/attachment/get_url", headers=headers, json={"key": "a"})
        assert answer.json()["url"].startswith("https://mail.example/files/attachment?ticket=")


async def test_a_private_site_gives_files_to_whoever_holds_the_address(
    site_with: SiteWith,
) -> None:
    async with site_with(local_attachments=True, passwords=["knock"]) as site:
        site.http.headers["x-custom-auth"] = "knock"
        box = await site.open()
        async with serving(site) as (host, port):
            store = Store(site, "local", f"http://{host}:{port}")
            await store.save(box, "a", b"text")
            assert await store.load(box, "a") == b"text"


# The object store as a neighbour


async def test_a_store_at_a_private_address_is_not_called_unless_allowed_hazard_40(
    site_with: SiteWith, s3_endpoint: str
) -> None:
    settings = {**s3_settings(s3_endpoint), "s3_private_addresses": False}
    async with site_with(**settings) as site:
        box = await site.open()
        answer = await site.http.get("/api/attachment/list", headers=box.auth)
        assert answer.status_code == 503
        assert "no public address" in answer.text or "not one of the web" in answer.text


@pytest.mark.parametrize("path", ["moved", "endless", "forbidden", "silent"])
async def test_a_store_that_misbehaves_is_trouble_for_a_while_and_no_more(
    site_with: SiteWith, path: str, neighbour: Callable[[str], str]
) -> None:
    settings = {**s3_settings(neighbour(path))}
    async with site_with(**settings) as site:
        assert isinstance(site.parts.object_store, ObjectStore)
        site.parts.object_store._seconds = 2.0
        box = await site.open()
        answer = await site.http.get("/api/attachment/list", headers=box.auth)
        assert answer.status_code == 503
        assert "SECRET" not in answer.text
        await site.parts.object_store.close()


@pytest.fixture
def neighbour() -> Any:
    """A server that answers in a wrong way: elsewhere, without end, never, or with a refusal."""
    import http.server
    import threading

    ended = threading.Event()

    class Wrong(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            way = self.path.split("/")[1]
            if way == "silent":
                ended.wait(30)
                return
            self.send_response({"moved": 302, "forbidden": 403}.get(way, 200))
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.end_headers()
            try:
                for _ in range(200 if way == "endless" else 1):
                    self.wfile.write(b"<Error>SECRET</Error>" * 3_000)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = HttpServer(("127.0.0.1", 0), Wrong)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield lambda way: f"http://127.0.0.1:{server.server_address[1]}/{way}"
    ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_that_is_none_stops_the_start(tmp_path: Any) -> None:
    from mailbox_service.assembly import build

    config = Config(data_dir=str(tmp_path), **{**s3_settings("file:///etc"), "jwt_secret": "x"})
    with pytest.raises(ValueError, match="s3_endpoint"):
        build(config)
