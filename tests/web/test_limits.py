"""Bounds on every input (hazard 36), rates and client addresses (hazards 10 and 47), and the
log (hazard 50)."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.web import guards
from mailbox_service.web.log import describe, neutral
from mailbox_service.web.peers import TrustedProxies, normal_ip
from mailbox_service.web.request import Call, Memory
from mailbox_service.web.routing import Operation
from tests.web.conftest import SiteWith
from tests.web.people import Person, sign_up
from tests.web.site import ADMIN, SITE_PASSWORD, Mailbox, Site

pytestmark = pytest.mark.anyio


# What stands in a path where a number does not do.
IN_PATHS = {"{area}": "suppression", "{act}": "add"}


def path_of(operation: Operation) -> str:
    return "/".join(
        IN_PATHS.get(part, "1") if part.startswith("{") else part for part in operation.segments
    )


def credentials(operation: Operation, ann: Mailbox, person: Person) -> dict[str, str]:
    # `integration` proves who calls in the handler, before it reads a whole body.
    if operation.guard is guards.ADMIN or operation.area == "integration":
        return ADMIN
    return person.both(ann)


async def endless() -> AsyncIterator[bytes]:
    """A body without an end; the test would never end if anybody read it whole."""
    while True:
        yield b"x" * 65_536


async def test_every_route_bounds_its_body(site_with: SiteWith) -> None:
    """Hazard 36: enumerated from the router, with and without a declared length."""
    async with site_with(max_message_size=65_536) as site:
        ann, person = await site.open(), await sign_up(site)
        for operation in site.app.state.table.operations:
            assert 0 < operation.body_limit < 8 << 20, operation.path
            if operation.path in ("/api/events", "/api/mails/wait", "/api/delete_address"):
                continue
            headers = credentials(operation, ann, person)
            declared = {**headers, "Content-Length": str(10 << 30)}
            request = site.http.build_request(
                operation.method, path_of(operation), headers=declared
            )
            answer = await site.http.send(request)
            assert answer.status_code == 413, operation.path
            assert answer.headers["connection"] == "close"
            nonsense = {**headers, "Content-Length": "9" * 5_000}
            request = site.http.build_request(
                operation.method, path_of(operation), headers=nonsense
            )
            assert (await site.http.send(request)).status_code == 413, operation.path
            if operation.body is None:
                continue
            envelope = {"X-Reverse-Path": f'"{ann.address}"', "X-Recipients": '["a@b.example"]'}
            headers = {**headers, **envelope}
            answer = await site.http.request(
                operation.method, path_of(operation), content=endless(), headers=headers
            )
            assert answer.status_code == 413, operation.path


async def test_a_body_within_its_bound_is_read(site: Site) -> None:
    wish = {"name": "ann", "filler": "x" * 60_000}
    assert (await site.http.post("/api/new_address", json=wish)).status_code == 200


async def test_every_route_with_a_body_survives_nesting(site: Site) -> None:
    """Hazard 36: depth is bounded by the types, and where they are free by a number."""
    ann, person = await site.open(), await sign_up(site)
    for operation in site.app.state.table.operations:
        if operation.body in (None, bytes):
            continue
        deep = b'{"x":' * 5_000 + b"1" + b"}" * 5_000
        for body in (deep, b"[" * 30_000, b'{"name":' + b"[" * 30_000):
            answer = await site.http.request(
                operation.method,
                path_of(operation),
                content=body,
                headers=credentials(operation, ann, person),
            )
            assert answer.status_code in (400, 401, 403, 500), (operation.path, answer.text)
            assert answer.text != "Error Internal Server Error", operation.path


async def test_every_route_bounds_query_and_headers(site: Site) -> None:
    """Hazard 36."""
    ann, person = await site.open(), await sign_up(site)
    for operation in site.app.state.table.operations:
        if operation.path == "/api/delete_address":
            continue
        path = path_of(operation)
        answer = await site.http.request(
            operation.method, f"{path}?{'x' * 20_000}", headers=credentials(operation, ann, person)
        )
        assert answer.status_code == 414, path
        many = {
            **credentials(operation, ann, person),
            **{f"x-{number}": "1" for number in range(120)},
        }
        assert (await site.http.request(operation.method, path, headers=many)).status_code == 431
        large = {**credentials(operation, ann, person), "x-large": "x" * 60_000}
        assert (await site.http.request(operation.method, path, headers=large)).status_code == 431


async def test_a_query_of_many_fields_is_refused(site: Site) -> None:
    """Hazard 36."""
    ann = await site.open()
    answer = await site.http.get(
        "/api/inbox?" + "&".join("a=1" for _ in range(60)), headers=ann.auth
    )
    assert answer.status_code == 400


def test_large_bodies_together_have_a_bound() -> None:
    memory = Memory(most=100)
    memory.take(60)
    with pytest.raises(TemporaryFailure):
        memory.take(60)
    memory.give_back(60)
    memory.take(100)


async def test_what_a_request_held_is_given_back(site_with: SiteWith) -> None:
    """Hazard 36: after success, a refusal, and a body that never ended."""
    async with site_with(max_message_size=1 << 20) as site:
        ann = await site.open()
        free = site.app.state.memory.left
        letter = {"to_mail": "a@b.example", "subject": "s", "content": "x" * 100_000}
        answer = await site.http.post("/api/send_mail", json=letter, headers=ann.auth)
        assert answer.status_code == 200
        for body in (b'{"content":"' + b"x" * 100_000, endless()):
            await site.http.post("/api/send_mail", content=body, headers=ann.auth)
        assert site.app.state.memory.left == free


@pytest.mark.parametrize("first", ["body", "chunks"])
async def test_a_body_that_is_read_twice_is_a_fault_of_ours_and_told_at_once(first: str) -> None:
    async def receive() -> dict[str, Any]:
        assert arriving, "a server waits here for ever"
        return arriving.pop()

    async def body() -> bytes:
        return await call.body()

    async def chunks() -> bytes:
        return b"".join([chunk async for chunk in call.chunks()])

    arriving = [{"type": "http.request", "body": b"{}", "more_body": False}]
    scope = {"method": "POST", "path": "/", "headers": []}
    unasked: Any = None  # a small body asks nothing of its surroundings
    call = Call(scope, receive, unasked)
    call.body_limit = 100
    assert await (body if first == "body" else chunks)() == b"{}"
    for again in (body, chunks):
        with pytest.raises(RuntimeError, match="read once"):
            await again()


# trusted, peer, X-Forwarded-For, X-Real-IP, the client
PEERS: list[tuple[list[str], str, str | None, str | None, str]] = [
    ([], "198.51.100.1", "203.0.113.9", "203.0.113.9", "198.51.100.1"),
    (["10.0.0.0/8"], "198.51.100.1", "203.0.113.9", None, "198.51.100.1"),
    (["10.0.0.0/8"], "10.0.0.1", "203.0.113.9", None, "203.0.113.9"),
    (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 203.0.113.9", None, "203.0.113.9"),
    (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", None, "203.0.113.9"),
    (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", None, "10.0.0.3"),
    (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, nonsense, 10.0.0.2", None, "10.0.0.2"),
    (["10.0.0.0/8"], "10.0.0.1", "nonsense", "203.0.113.9", "10.0.0.1"),
    (["10.0.0.0/8"], "10.0.0.1", None, "203.0.113.9", "203.0.113.9"),
    (["10.0.0.0/8"], "10.0.0.1", None, "x\r\ny", "10.0.0.1"),
    (["10.0.0.0/8"], "10.0.0.1", None, None, "10.0.0.1"),
    (["10.0.0.1"], "::ffff:10.0.0.1", "2001:DB8::1", None, "2001:db8::1"),
    (["::1"], "::1", "::ffff:203.0.113.9", None, "203.0.113.9"),
    (["10.0.0.0/8"], "", "203.0.113.9", None, ""),
    (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6," * 1000 + "203.0.113.9", None, "203.0.113.9"),
]


@pytest.mark.parametrize(("trusted", "peer", "forwarded", "real", "client"), PEERS)
def test_only_a_trusted_proxy_says_who_the_client_is(
    trusted: list[str], peer: str, forwarded: str | None, real: str | None, client: str
) -> None:
    """Hazard 47."""
    headers = {}
    if forwarded is not None:
        headers[b"x-forwarded-for"] = forwarded.encode()
    if real is not None:
        headers[b"x-real-ip"] = real.encode()
    assert TrustedProxies(trusted).client_ip(peer, headers) == client


def test_an_address_has_one_form() -> None:
    assert normal_ip(" ::FFFF:1.2.3.4 ") == "1.2.3.4"
    assert normal_ip("1.2.3.4.5") == ""


async def test_the_rate_limit_counts_clients_and_paths(site_with: SiteWith) -> None:
    """Hazard 47: by path and client; one IPv6 customer is one client."""
    async with site_with(rate_limit_requests=2) as site:
        async with site.client("198.51.100.7") as one, site.client("198.51.100.8") as other:
            for _ in range(2):
                assert (await one.post("/api/new_address", json={})).status_code == 200
            spoofed = {"X-Forwarded-For": "203.0.113.1", "CF-Connecting-IP": "203.0.113.1"}
            answer = await one.post("/api/new_address", json={}, headers=spoofed)
            assert answer.status_code == 429
            assert answer.text == "IP=198.51.100.7 Rate limit exceeded for /api/new_address"
            assert answer.headers["retry-after"] == "60"
            assert (await other.post("/api/new_address", json={})).status_code == 200
            # Before authentication, as the contract orders it; other routes are free.
            for _ in range(2):
                assert (await one.post("/api/send_mail", json={})).status_code == 401
            assert (await one.post("/api/send_mail", json={})).status_code == 429
            for _ in range(5):
                assert (await one.get("/open_api/settings")).status_code == 200
        async with site.client("2001:db8::1") as one, site.client("2001:db8::ffff:2") as other:
            assert (await one.post("/api/new_address", json={})).status_code == 200
            assert (await other.post("/api/new_address", json={})).status_code == 200
            assert (await one.post("/api/new_address", json={})).status_code == 429


async def test_guessing_passwords_is_slowed_by_client(site_with: SiteWith) -> None:
    """Hazard 10, on this door: the owner elsewhere is not locked out."""
    async with (
        site_with(passwords=[SITE_PASSWORD]) as site,
        site.client("198.51.100.7") as guesser,
        site.client("203.0.113.5") as owner,
    ):
        statuses = []
        for number in range(12):
            answer = await guesser.get("/health_check", headers={"x-custom-auth": f"guess{number}"})
            statuses.append(answer.status_code)
        assert statuses[0] == 401
        assert statuses[-1] == 429
        answer = await owner.get("/health_check", headers={"x-custom-auth": SITE_PASSWORD})
        assert answer.status_code == 200
    async with site_with() as site, site.client("198.51.100.9") as guesser:
        for _ in range(30):
            answer = await guesser.get("/admin/statistics", headers={"x-admin-auth": "stale"})
            assert answer.status_code == 401  # the same wrong password again is no guess
        for number in range(12):
            guess = {"x-admin-auth": f"guess{number}"}
            answer = await guesser.get("/admin/statistics", headers=guess)
        assert answer.status_code == 429
        assert (await site.http.get("/admin/statistics", headers=ADMIN)).status_code == 200


async def test_the_log_holds_no_secret_and_no_mail(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 50: everything at the lowest level, through success, refusal and failure."""
    caplog.set_level(logging.DEBUG)
    ann = await site.open()
    letter = {"to_mail": "bob@far.example", "subject": "s3cret-subject", "content": "s3cret-body"}
    await site.http.post("/api/send_mail", json=letter, headers=ann.auth)
    await site.http.post("/external/api/send_mail", json=letter | {"token": ann.jwt})
    await site.http.post("/external/api/send_mail", json=letter | {"token": ann.jwt + "x"})
    await site.http.get(f"/api/mails?limit=1&offset=0&jwt={ann.jwt}", headers=ann.auth)
    await site.http.get("/admin/statistics", headers=ADMIN)
    await site.http.get("/admin/statistics", headers={"x-admin-auth": "s3cret-guess"})
    login = {"email": ann.address, "password": "s3cret-digest"}
    await site.http.post("/api/address_login", json=login)
    site.health.trouble = TemporaryFailure("later")
    await site.http.get("/health_check?q=s3cret-query")
    logged = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("mailbox")
    )
    assert "/health_check" in logged
    for secret in (
        "s3cret",
        ann.jwt,
        ann.jwt.rpartition(".")[2],
        ann.password,
        ADMIN["x-admin-auth"],
    ):
        assert secret
        assert secret not in logged


async def test_an_error_of_ours_tells_the_client_nothing_and_the_log_where(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazards 19 and 50."""
    ann = await site.open()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("s3cret /srv/mail.db")

    monkeypatch.setattr(site.parts.reading, "one", broken)
    monkeypatch.setattr(site.parts.reading, "content", broken)
    answer = await site.http.get("/api/mail/1", headers=ann.auth)
    assert (answer.status_code, answer.text) == (500, "Error Internal Server Error")
    assert "s3cret" not in caplog.text
    assert "error=RuntimeError" in caplog.text
    assert "mails.py" in caplog.text


async def test_storage_trouble_is_503_and_passes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 19."""
    ann = await site.open()

    async def away(*_: object, **__: object) -> None:
        raise TemporaryFailure("The store is away")

    for way in ("read", "read_quick", "read_small"):
        monkeypatch.setattr(site.parts.database, way, away)
    site.parts.authenticating.forget()
    answer = await site.http.get("/api/mail/1", headers=ann.auth)
    assert (answer.status_code, answer.text) == (503, "The store is away")
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["x-enhanced-status"] == "4.3.0"
    assert (await site.http.get("/health_check")).status_code == 503
    monkeypatch.undo()
    assert (await site.http.get("/api/mail/1", headers=ann.auth)).status_code == 200
    assert (await site.http.get("/health_check")).text == "OK"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("/api/mails", "/api/mails"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u2028b\x85c", "a\\x2028b\\x85c"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_what_a_client_chose_is_one_harmless_line(text: str, line: str) -> None:
    """Hazard 50."""
    assert neutral(text) == line


async def test_a_path_cannot_write_lines_of_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 50."""
    caplog.set_level(logging.DEBUG, logger="mailbox.web")
    await site.http.get("/x%0d%0aERROR%20forged%1b[2J")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "mailbox.web"]
    assert "\n" not in line
    assert "\x1b" not in line
    assert "forged" in line


def test_an_error_is_described_without_its_words() -> None:
    """Hazard 50."""
    try:
        json.loads("s3cret")
    except ValueError as error:
        words = describe(error)
    assert "s3cret" not in words
    assert words.startswith("error=JSONDecodeError at=decoder.py:")


async def test_the_host_header_decides_nothing(site: Site) -> None:
    """Hazard 49: no answer depends on it, so none can be poisoned by it."""
    ann = await site.open()
    for path in ("/health_check", "/open_api/settings", "/api/settings", "/openapi.json", "/docs"):
        usual = await site.http.get(path, headers=ann.auth)
        for host in ("evil.example", "evil.example:1", "x/../admin", "a b"):
            answer = await site.http.get(path, headers={**ann.auth, "Host": host})
            assert (answer.status_code, answer.content) == (usual.status_code, usual.content)
            assert "evil" not in str(answer.headers)


async def test_a_cookie_or_a_form_of_another_origin_proves_nothing(site: Site) -> None:
    """Hazard 49: what a browser sends by itself is no credential."""
    ann = await site.open()
    headers = {
        "Origin": "https://evil.example",
        "Cookie": f"jwt={ann.jwt}; token={ann.jwt}; Authorization=Bearer {ann.jwt}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    for method, path in (("GET", "/api/inbox"), ("POST", "/api/send_mail")):
        answer = await site.http.request(method, path, headers=headers, content=b"a=b")
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
