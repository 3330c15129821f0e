"""How every route speaks: CORS, order, refusals, paging, methods and paths (mailbox-api §1)."""

from __future__ import annotations

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, SITE_PASSWORD, Site

pytestmark = pytest.mark.anyio

NO_TOKEN = "Invalid address credential"
NO_ADMIN = "You need to provide the admin password to access this page"


async def test_a_refusal_is_plain_text_with_a_code_for_programs(site: Site) -> None:
    answer = await site.http.get("/api/mails?limit=20&offset=0")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert answer.text == NO_TOKEN
    assert answer.headers["x-error-code"] == "InvalidAddressCredential"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", NO_TOKEN),
        ("zh", ""),
        ("ZH", NO_TOKEN),
        ("de", NO_TOKEN),
        ("", NO_TOKEN),
    ],
)
async def test_a_refusal_speaks_the_language_of_x_lang(
    site: Site, language: str, words: str
) -> None:
    answer = await site.http.get("/api/mails", headers={"x-lang": language})
    if language == "zh":
        assert answer.text != NO_TOKEN
        assert not answer.text.isascii()
    else:
        assert answer.text == words


# method, path, headers, status, text: where the group asks for a credential, 401 comes first.
UNKNOWN = [
    ("GET", "/api/nope", {}, 401, NO_TOKEN),
    ("PUT", "/api/mails", {}, 401, NO_TOKEN),
    ("GET", "/api/new_address", {}, 404, "Not Found"),
    ("GET", "/api/new_address/", {}, 404, "Not Found"),
    ("GET", "/api/address_login", {}, 404, "Not Found"),
    ("GET", "/admin/nope", {}, 401, NO_ADMIN),
    ("GET", "/admin/nope", ADMIN, 404, "Not Found"),
    ("PUT", "/admin/address", ADMIN, 404, "Not Found"),
    ("GET", "/admin/address/", ADMIN, 404, "Not Found"),
    ("GET", "/user_api/settings", {}, 401, "Your token has expired, please login again"),
    ("GET", "/user_api/nope", {}, 401, "Your token has expired, please login again"),
    ("POST", "/user_api/bind_address/x", {}, 401, "Your token has expired, please login again"),
    ("POST", "/user_api/open_settings", {}, 404, "Not Found"),
    ("GET", "/user_api/login", {}, 404, "Not Found"),
    ("GET", "/user_api/login/", {}, 404, "Not Found"),
    ("GET", "/user_api/register", {}, 404, "Not Found"),
    ("GET", "/user_api/verify_code", {}, 404, "Not Found"),
    ("GET", "/open_api/nope", {}, 404, "Not Found"),
    ("GET", "/open_api/settings/", {}, 404, "Not Found"),
    ("GET", "/external/nope", {}, 404, "Not Found"),
    ("GET", "/telegram/nope", {}, 404, "Not Found"),
    ("GET", "/nope", {}, 404, "Not Found"),
    ("GET", "/Health_Check", {}, 404, "Not Found"),
    ("POST", "/health_check", {}, 404, "Not Found"),
]


@pytest.mark.parametrize(("method", "path", "headers", "status", "words"), UNKNOWN)
async def test_an_unknown_path_is_judged_by_its_group_and_then_not_found(
    site: Site, method: str, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    answer = await site.http.request(method, path, headers=headers)
    assert (answer.status_code, answer.text[: len(words)]) == (status, words)


async def test_a_known_path_with_another_method_is_not_found_for_its_owner(site: Site) -> None:
    ann = await site.open()
    for method, path in (
        ("PUT", "/api/mails"),
        ("POST", "/api/mail/1"),
        ("DELETE", "/api/settings"),
        ("PATCH", "/api/delete_address"),
        ("GET", "/api/mails/"),
        ("GET", "/api/mail/"),
        ("GET", "/api/mail/1/"),
    ):
        answer = await site.http.request(method, path, headers=ann.auth)
        assert (answer.status_code, answer.text) == (404, "Not Found"), (method, path)


@pytest.mark.parametrize("path", ["/", "/api/mails", "/admin/nope", "/nowhere", "/api/send_mail"])
async def test_options_is_answered_before_anything_else(site_with: SiteWith, path: str) -> None:
    async with site_with(passwords=[SITE_PASSWORD]) as site:
        asked = {
            "Origin": "https://elsewhere.test",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-lang",
        }
        for headers in ({}, asked):
            answer = await site.http.options(path, headers=headers)
            assert answer.status_code == 204
            assert answer.content == b""
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers
            methods = answer.headers["access-control-allow-methods"].split(",")
            assert {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"} <= set(methods)
        assert answer.headers["access-control-allow-headers"] == "authorization,x-lang"
        assert answer.headers["vary"] == "Access-Control-Request-Headers"


async def test_every_answer_may_be_read_by_any_origin_and_is_never_cached(site: Site) -> None:
    for path in ("/health_check", "/api/mails", "/nope", "/open_api/settings", "/admin/x"):
        answer = await site.http.get(path)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers


async def test_head_is_get_without_a_body(site: Site) -> None:
    ann = await site.open()
    mail_id = await site.arrive()
    for path in ("/health_check", "/api/settings", f"/api/mail/{mail_id}", "/nope"):
        got = await site.http.get(path, headers=ann.auth)
        head = await site.http.head(path, headers=ann.auth)
        assert head.status_code == got.status_code
        assert head.content == b""
        assert head.headers["content-length"] == got.headers["content-length"]


# query, status, text
PAGES = [
    ("limit=20&offset=0", 200, None),
    ("limit=1&offset=0", 200, None),
    ("limit=100&offset=0", 200, None),
    ("limit=10abc&offset=0x", 200, None),
    ("limit=0x10&offset=0X0", 200, None),
    ("limit=0x65&offset=0", 400, "Invalid limit"),
    ("limit=1.9&offset=0.9", 200, None),
    ("limit=%20%207&offset=%2B0", 200, None),
    ("limit=5&limit=0&offset=0", 200, None),
    ("", 400, "Invalid limit"),
    ("offset=0", 400, "Invalid limit"),
    ("limit=&offset=0", 400, "Invalid limit"),
    ("limit=0&offset=0", 400, "Invalid limit"),
    ("limit=-1&offset=0", 400, "Invalid limit"),
    ("limit=101&offset=0", 400, "Invalid limit"),
    ("limit=x&offset=-1", 400, "Invalid limit"),
    ("limit=99999999999999999999999999&offset=0", 400, "Invalid limit"),
    ("limit=20", 400, "Invalid offset"),
    ("limit=20&offset=-1", 400, "Invalid offset"),
    ("limit=20&offset=x", 400, "Invalid offset"),
    ("limit=20&offset=99999999999999999999", 400, "Invalid offset"),
]
PAGED = ["/api/mails", "/api/parsed_mails", "/api/sendbox"]
PAGED_BY_ADMIN = [
    "/admin/mails",
    "/admin/mails_unknow",
    "/admin/address",
    "/admin/address_sender",
    "/admin/sendbox",
]


@pytest.mark.parametrize(("query", "status", "words"), PAGES)
async def test_paging_is_read_as_the_contract_reads_it(
    site: Site, query: str, status: int, words: str | None
) -> None:
    ann = await site.open()
    for path in PAGED + PAGED_BY_ADMIN:
        answer = await site.http.get(f"{path}?{query}", headers={**ann.auth, **ADMIN})
        assert answer.status_code == status, (path, answer.text)
        if words is None:
            assert answer.json() == {
                "results": answer.json()["results"],
                "count": answer.json()["count"],
            }
        else:
            assert answer.text == words


# body, status, how the text begins: on the routes of the contract
BODIES = [
    (b"", 500, "SyntaxError Unexpected end of JSON input"),
    (b"{", 500, "SyntaxError Unexpected end of JSON input"),
    (b"nope", 500, "SyntaxError Unexpected token"),
    (b'\xff{"name": "x"}', 500, "SyntaxError "),
    (b"[]", 500, "TypeError "),
    (b"null", 500, "TypeError "),
    (b'{"name": {}}', 500, "TypeError "),
    (b'{"x":' + b"[" * 30_000, 500, "SyntaxError "),
]


@pytest.mark.parametrize(("body", "status", "words"), BODIES)
async def test_what_is_no_json_is_the_contracts_uncaught_failure(
    site: Site, body: bytes, status: int, words: str
) -> None:
    for path in ("/api/new_address", "/admin/new_address"):
        answer = await site.http.post(path, content=body, headers=ADMIN)
        assert (answer.status_code, answer.text[: len(words)]) == (status, words)
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_a_body_is_json_whatever_its_content_type_says(site: Site, kind: str) -> None:
    answer = await site.http.post(
        "/api/new_address", content=b'{"name":"bob"}', headers={"Content-Type": kind}
    )
    assert answer.json()["address"] == "bob@inbox.test"


async def test_routes_without_a_body_do_not_read_one(site: Site) -> None:
    ann = await site.open()
    json = {"Content-Type": "application/json"}
    answer = await site.http.post("/api/request_send_mail_access", headers={**ann.auth, **json})
    assert answer.json() == {"status": "ok"}
    answer = await site.http.request(
        "DELETE", "/api/clear_inbox", content=b"{not json", headers={**ann.auth, **json}
    )
    assert answer.json() == {"success": True}


async def test_the_private_site_comes_before_every_other_check(site_with: SiteWith) -> None:
    async with site_with(passwords=[SITE_PASSWORD, "another"]) as site:
        words = "You have enabled the private site password, please provide the password"
        for path in ("/", "/health_check", "/api/nope", "/admin/address", "/external/x", "/docs"):
            answer = await site.http.get(path)
            assert (answer.status_code, answer.text) == (401, words), path
            answer = await site.http.get(path, headers={"x-custom-auth": "wrong"})
            assert (answer.status_code, answer.text) == (401, words), path
        for path in ("/open_api/settings", "/telegram/nope", "/open_api"):
            answer = await site.http.get(path)
            assert answer.text != words, path
        for password in (SITE_PASSWORD, "another"):
            answer = await site.http.get("/health_check", headers={"x-custom-auth": password})
            assert answer.text == "OK"


async def test_without_a_token_secret_nothing_else_is_said(site_with: SiteWith) -> None:
    async with site_with(jwt_secret="") as site:
        for path in ("/api/mails", "/api/nope", "/health_check", "/open_api/settings"):
            answer = await site.http.get(path)
            assert answer.status_code == 400
            assert answer.text == "JWT_SECRET is not set, please contact the administrator"
