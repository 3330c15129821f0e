"""Who may call what: every route of the router, with every kind of wrong credential.

Hazards 37 (the matrix, and paths that only look alike) and 38 (tokens).
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any
from urllib.parse import quote, unquote

import pytest

from mailbox_service.web import guards
from mailbox_service.web.routing import Operation, Table
from mailbox_service.web.smtp_submission import SUBMITTER
from tests.web.conftest import SiteWith
from tests.web.people import sign_up
from tests.web.site import ADMIN, SECRET, SITE_PASSWORD, Site

pytestmark = pytest.mark.anyio

# Guards that prove the token of an address; the last one other tokens besides.
OF_ADDRESSES = (guards.MAILBOX, guards.TOKEN, SUBMITTER)
# How those are told of a good token that names no address which say it in words of their own, all
# with 400 (mailbox-api §1.1, §3.3, §10.2).
NAMELESS = {
    guards.MAILBOX_LIST: '{"error":"No address"}',
    guards.MAILBOX_ASKING: "Address not found",
    guards.MAILBOX_SENDING: "Failed to send mail Address not found",
    guards.MAILBOX_PASSWORD: "Invalid address token",
}

# Routes that anybody may call, each with its reason. A new one must be entered here by hand.
OPEN_ROUTES = {
    ("GET", "/"),  # is the service there?
    ("GET", "/health_check"),
    ("GET", "/open_api/settings"),  # what a front end shows before a login
    ("GET", "/open_api/altcha"),  # a proof of work to do, for whoever is to prove a human
    ("POST", "/open_api/site_login"),  # tests a secret in the body
    ("POST", "/open_api/admin_login"),
    ("POST", "/open_api/credential_login"),
    ("POST", "/api/new_address"),  # the switches of the configuration decide
    ("POST", "/api/address_login"),  # proves a password in the body
    ("POST", "/external/api/send_mail"),  # proves a token in the body
    ("POST", "/external/api/smtp/authenticate"),  # proves a login in the body
    ("GET", "/user_api/open_settings"),  # what a front end shows before a login
    ("POST", "/user_api/login"),  # proves a password in the body
    ("POST", "/user_api/verify_code"),  # has a code mailed, few at a time
    ("POST", "/user_api/register"),  # the administrator's rules decide
    ("GET", "/user_api/oauth2/login_url"),  # where a sign-in begins
    ("POST", "/user_api/oauth2/callback"),  # proves a provider's code in the body
    ("POST", "/user_api/passkey/authenticate_request"),  # where a sign-in begins
    ("POST", "/user_api/passkey/authenticate_response"),  # proves a signature in the body
    ("POST", "/telegram/webhook"),  # proves Telegram's secret in a header
    ("POST", "/telegram/get_bind_address"),  # these prove initData in the body
    ("POST", "/telegram/new_address"),
    ("POST", "/telegram/bind_address"),
    ("POST", "/telegram/unbind_address"),
    ("POST", "/telegram/get_mail"),
    ("POST", "/telegram/open_mail"),
    ("GET", "/confirm-sender/{token}"),  # proves a token in the path
    ("POST", "/confirm-sender/{token}"),
    ("GET", "/archive/{email_id}/{proof}"),  # proves a signature in the path
    ("GET", "/sms/callback"),  # these prove a secret in the query
    ("POST", "/sms/callback"),
    ("GET", "/t/o/{token}"),  # these prove a signature in the path
    ("GET", "/t/c/{token}"),
    ("GET", "/t/u/{token}"),
    ("POST", "/t/u/{token}"),
    ("POST", "/send-email"),  # these prove an API key or the admin password
    ("GET", "/send-email/{mail_id}"),
    ("POST", "/send-emails"),
    ("POST", "/test-connection"),
    ("GET", "/smtp-connections"),
    ("PUT", "/smtp-connections/{name}"),
    ("DELETE", "/smtp-connections/{name}"),
    ("PUT", "/files/attachment"),  # proves a signed ticket in the address
    ("GET", "/files/attachment"),
    ("GET", "/.well-known/mta-sts.txt"),  # for every sender of mail
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
}
# Routes that take the token of a closed address, because they say what became of it.
CLAIMS_ROUTES = {("GET", "/api/settings"), ("DELETE", "/api/delete_address")}


def concrete(operation: Operation, value: str = "1") -> str:
    """A path of the operation."""
    return "/".join(value if part.startswith("{") else part for part in operation.segments)


def operations(site: Site) -> list[Operation]:
    found: list[Operation] = list(site.app.state.table.operations)
    assert len(found) > 50
    return found


async def test_every_route_has_a_guard_and_the_open_ones_are_listed_here(site: Site) -> None:
    """Hazard 37."""
    found = {
        (operation.method, operation.path)
        for operation in operations(site)
        if operation.guard is guards.OPEN
    }
    assert found == OPEN_ROUTES
    found = {
        (operation.method, operation.path)
        for operation in operations(site)
        if operation.guard is guards.TOKEN
    }
    assert found == CLAIMS_ROUTES


async def test_guards_agree_with_the_groups_of_their_paths(site: Site) -> None:
    """Hazard 37: a route under /admin is the administrator's, one under /api a mailbox's."""
    for operation in operations(site):
        if (operation.method, operation.path) in OPEN_ROUTES:
            continue
        if operation.path.startswith("/admin/"):
            assert operation.guard is guards.ADMIN, operation.path
        elif operation.path.startswith("/user_api/"):
            assert operation.guard in (guards.ACCOUNT, guards.ACCOUNT_AND_MAILBOX)
        else:
            assert operation.guard in (*OF_ADDRESSES, *NAMELESS)


async def wrong_credentials(site: Site) -> dict[str, dict[str, str]]:
    """Every kind of credential that proves nobody who may call anything."""
    gone = await site.open("gone")
    await site.parts.registering.close(gone.address_id, gone.address)
    foreign = signed({"address": gone.address, "address_id": 1}, key="another secret")
    now = int(time.time())
    user = {"user_email": "ann@home.example", "user_id": 1, "iat": now, "exp": now + 3600}
    return {
        "none": {},
        "empty": {"Authorization": ""},
        "no scheme": {"Authorization": gone.jwt},
        "another scheme": {"Authorization": f"Basic {gone.jwt}"},
        "three words": {"Authorization": f"Bearer {gone.jwt} x"},
        "nonsense": {"Authorization": "Bearer nonsense"},
        "huge": {"Authorization": "Bearer " + "eyJ" + "a" * 20_000},
        "foreign signature": {"Authorization": f"Bearer {foreign}"},
        "closed address": gone.auth,
        "wrong admin": {"x-admin-auth": "wrong"},
        "empty admin": {"x-admin-auth": ""},
        "prefix of admin": {"x-admin-auth": ADMIN["x-admin-auth"][:-1]},
        "admin as bearer": {"Authorization": f"Bearer {ADMIN['x-admin-auth']}"},
        "empty user token": {"x-user-token": ""},
        "nonsense user token": {"x-user-token": "nonsense"},
        "foreign user token": {"x-user-token": signed(user, key="another secret")},
        "user token over": {"x-user-token": signed({**user, "exp": now - 1})},
        "user token for ever": {"x-user-token": signed({**user, "exp": None})},
        "user token of tomorrow": {"x-user-token": signed({**user, "nbf": now + 3600})},
        "user token of nobody": {"x-user-token": signed({**user, "user_id": None})},
        "address token as user token": {"x-user-token": gone.jwt},
        "user token as admin": {"x-admin-auth": signed(user)},
        "access token without admin role": {
            "x-user-access-token": signed({**user, "user_role": ""})
        },
    }


async def test_no_wrong_credential_opens_any_route(site: Site) -> None:
    """Hazard 37: route × {none, malformed, foreign, closed, wrong admin, wrong account}."""
    for name, headers in (await wrong_credentials(site)).items():
        for operation in operations(site):
            key = (operation.method, operation.path)
            if key in OPEN_ROUTES or (name == "closed address" and key in CLAIMS_ROUTES):
                continue
            answer = await site.http.request(
                operation.method, concrete(operation), headers=headers, content=b"{}"
            )
            assert answer.status_code == 401, (name, key, answer.status_code, answer.text)


async def test_a_mailbox_token_opens_nothing_of_the_administrators(site: Site) -> None:
    """Hazard 37."""
    ann = await site.open()
    for operation in operations(site):
        if operation.guard is guards.ADMIN:
            answer = await site.http.request(
                operation.method, concrete(operation), headers=ann.auth, content=b"{}"
            )
            assert answer.status_code == 401, operation.path


async def test_a_user_token_opens_the_account_and_nothing_else(site: Site) -> None:
    """Hazard 37: neither a mailbox, bound or not, nor what is the administrator's."""
    ann = await sign_up(site)
    token = {"x-user-token": ann.token, "Authorization": f"Bearer {ann.token}"}
    for operation in operations(site):
        if operation.guard in (guards.OPEN, guards.ACCOUNT, guards.ACCOUNT_AND_MAILBOX):
            continue
        answer = await site.http.request(
            operation.method, concrete(operation), headers=token, content=b"{}"
        )
        if operation.guard in NAMELESS:
            assert (answer.status_code, answer.text) == (400, NAMELESS[operation.guard])
        elif operation.guard is guards.TOKEN:
            assert answer.text in ("Invalid address", "Error Required field is missing")
        else:
            assert answer.status_code == 401, (operation.path, answer.text)


async def test_neither_mailbox_nor_admin_credentials_open_an_account(site: Site) -> None:
    """Hazard 37."""
    ann = await site.open()
    for headers in (ann.auth, ADMIN, {**ann.auth, **ADMIN, "x-user-token": ann.jwt}):
        for operation in operations(site):
            if operation.guard in (guards.ACCOUNT, guards.ACCOUNT_AND_MAILBOX):
                answer = await site.http.request(
                    operation.method, concrete(operation), headers=headers, content=b"{}"
                )
                assert answer.status_code == 401, operation.path
                assert answer.text == "Your token has expired, please login again"


async def test_one_account_sees_and_changes_nothing_of_another(site: Site) -> None:
    """Hazard 37: another account's good token finds nothing by the ids of this one."""
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    box, other = await site.open("ann"), await site.open("bob")
    await site.http.post("/user_api/bind_address", headers=ann.both(box))
    mail_id = await site.arrive(box.address)
    for operation in operations(site):
        if operation.guard not in (guards.ACCOUNT, guards.ACCOUNT_AND_MAILBOX):
            continue
        number = mail_id if "mails" in operation.path else box.address_id
        body = {
            "address_id": box.address_id,
            "target_user_email": bob.email,
            "passkey_id": "x",
            "passkey_name": "x",
            "domain": "mail.test",
        }
        answer = await site.http.request(
            operation.method,
            f"{concrete(operation, str(number))}?limit=100&offset=0&address={box.address}",
            headers=bob.both(other),
            json=body,
        )
        assert box.address not in answer.text, operation.path
        assert "482913" not in answer.text, operation.path
    for path in ("/user_api/mails?limit=20&offset=0", "/user_api/bind_address"):
        answer = await site.http.get(path, headers=ann.auth)
        assert answer.json()["count"] == 1, path
    answer = await site.http.get(f"/api/mail/{mail_id}", headers=box.auth)
    assert answer.json()["address"] == box.address


async def test_the_admin_password_opens_no_mailbox(site: Site) -> None:
    """Hazard 37: the administrator reads mail by the admin routes, which say so."""
    for operation in operations(site):
        if operation.guard in (*OF_ADDRESSES, *NAMELESS):
            answer = await site.http.request(
                operation.method, concrete(operation), headers=ADMIN, content=b"{}"
            )
            assert answer.status_code == 401, operation.path


async def test_one_mailbox_sees_and_changes_nothing_of_another(site_with: SiteWith) -> None:
    """Hazard 37: another owner's good token finds nothing by the ids of this mailbox."""
    async with site_with(local_attachments=True) as site:
        await judge_two_mailboxes(site)


async def judge_two_mailboxes(site: Site) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    put = await site.http.post("/api/attachment/put_url", json={"key": "a"}, headers=ann.auth)
    url = put.json()["url"]
    assert (await site.http.put(url, content=b"secret of ann")).status_code == 200
    mail_id = await site.arrive(ann.address)
    letter = {"to_mail": "x@far.example", "subject": "s", "content": "secret of ann"}
    queued = await site.http.post("/api/send_mail", json=letter, headers=ann.auth)
    sent_id = queued.json()["id"]
    before = await everything_of(site, ann.auth, mail_id, sent_id)
    for operation in operations(site):
        if operation.guard not in (guards.MAILBOX, *NAMELESS):
            continue
        if operation.path in ("/api/events", "/api/mails/wait", "/api/revoke_tokens"):
            continue  # the last ends the token that the others are tried with
        path = concrete(operation, str(sent_id if "sent" in operation.path else mail_id))
        body: dict[str, Any] = {"ids": [mail_id], "seen": True, "flagged": True, "answered": True}
        body["key"] = "a"
        answer = await site.http.request(
            operation.method, f"{path}?limit=100&offset=0", headers=bob.auth, json=body
        )
        # A body that lacks what a route needs is an uncaught failure by the contract (§1.1).
        uncaught = answer.status_code == 500 and answer.text.startswith("TypeError ")
        assert uncaught or answer.status_code in (200, 400, 404), (operation.path, answer.text)
        assert "secret of ann" not in answer.text, operation.path
        assert "482913" not in answer.text, operation.path
    assert await everything_of(site, ann.auth, mail_id, sent_id) == before


async def everything_of(
    site: Site, auth: dict[str, str], mail_id: int, sent_id: int
) -> list[tuple[int, Any]]:
    """What an owner sees."""
    found = []
    for path in (
        "/api/mails?limit=100&offset=0",
        "/api/inbox",
        f"/api/inbox/{mail_id}",
        "/api/sent",
        "/api/sendbox?limit=100&offset=0",
        f"/api/sent/{sent_id}",
        "/api/settings",
        "/api/attachment/list",
    ):
        answer = await site.http.get(path, headers=auth)
        found.append((answer.status_code, answer.json()))
    return found


def alike(path: str) -> list[str]:
    """Paths that some servers, proxies and frameworks take for this one."""
    parts = path.split("/")
    return [
        path.upper(),
        path.replace("/", "//", 1),
        path.replace("/", "//"),
        "/x/.." + path,
        "/." + path,
        path + "/",
        path + "/.",
        path + ";x=1",
        "/".join([*parts[:-1], parts[-1] + ";a"]),
        path + "%00",
        path + "%20",
        path + "%2f",
        path + "\\",
        "/" + parts[1] + "%2f" + "/".join(parts[2:]),
        "/" + parts[1] + "/..%2f" + "/".join(parts[1:]),
        "".join(f"%{ord(char):02x}" if char.isalpha() else char for char in path),
        "/%2561" + path[2:],
        path.replace("a", "%61", 1),
        path.replace("a", "\uff41", 1),
        "/open_api/.." + path,
        "/open_api/%2e%2e" + path,
        "/telegram/..;" + path,
        "/docs" + path,
        quote(path, safe=""),
    ]


async def test_a_path_that_looks_alike_opens_nothing(site: Site) -> None:
    """Hazard 37: encoded, doubled, dotted, upper-case and `;` variants are decided alike."""
    ann = await site.open()
    await site.arrive()
    for operation in operations(site):
        if (operation.method, operation.path) in OPEN_ROUTES:
            continue
        for path in alike(concrete(operation)):
            answer = await ask_raw(site, operation.method, path, {})
            assert answer[0] in (401, 404), (operation.path, path, answer)
            if operation.guard is guards.ADMIN:
                answer = await ask_raw(site, operation.method, path, ann.auth)
                assert answer[0] in (401, 404), (operation.path, path, answer)


async def test_a_path_that_looks_alike_passes_no_private_site(site_with: SiteWith) -> None:
    """Hazard 37: the password of a private site is not skipped by a path's spelling."""
    async with site_with(passwords=[SITE_PASSWORD]) as site:
        for path in alike("/api/new_address"):
            status, body = await ask_raw(site, "POST", path, {})
            # What begins with /open_api or /telegram/ is no other route for it.
            assert status == 401 or (status, body) == (404, b"Not Found"), path


async def ask_raw(site: Site, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Ask with the path exactly as given: no client library tidies it up first."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "http_version": "1.1",
        "state": {},
    }
    await site.app(scope, receive, send)
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def signed(
    claims: dict[str, Any], *, key: str = SECRET, algorithm: str = "HS256", **header: Any
) -> str:
    """A token made by hand, so that it may be as wrong as it likes."""
    signing = f"{segment({'alg': algorithm, 'typ': 'JWT', **header})}.{segment(claims)}"
    mac = hmac.new(key.encode(), signing.encode(), DIGESTS[algorithm]).digest()
    return f"{signing}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


# The routes that say so, each with what it is sent: an old token may lack either claim.
@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/api/mails?limit=20&offset=0", '{"error":"No address"}'),
        ("GET", "/api/parsed_mails?limit=20&offset=0", '{"error":"No address"}'),
        ("GET", "/api/sendbox?limit=20&offset=0", '{"error":"No address"}'),
        ("POST", "/api/send_mail", "Failed to send mail Address not found"),
        ("POST", "/api/request_send_mail_access", "Address not found"),
        ("POST", "/api/address_change_password", "Invalid address token"),
        ("GET", "/api/settings", "Invalid address"),
    ],
)
async def test_a_good_token_that_names_no_address_is_told_so(
    site: Site, method: str, path: str, words: str
) -> None:
    ann = await site.open()
    body = b'{"new_password": "x", "to_mail": "b@far.example", "subject": "s", "content": "c"}'
    for claims in ({"address_id": ann.address_id}, {"address": None, "address_id": 1}, {}):
        headers = {"Authorization": f"Bearer {signed(claims)}"}
        answer = await site.http.request(method, path, headers=headers, content=body)
        assert (answer.status_code, answer.text) == (400, words), claims
    closed = {"Authorization": f"Bearer {signed({'address': 'gone@inbox.test'})}"}
    answer = await site.http.request(method, path, headers=closed, content=body)
    assert answer.status_code == (400 if path == "/api/settings" else 401)


async def test_only_a_token_signed_our_way_is_a_token(site: Site) -> None:
    """Hazard 38."""
    ann = await site.open()
    claims = {"address": ann.address, "address_id": ann.address_id}
    head, body, signature = ann.jwt.split(".")
    now = int(time.time())
    bad = {
        "alg none": f"{segment({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "alg None": f"{segment({'alg': 'None'})}.{body}.",
        "alg none with signature": f"{segment({'alg': 'none'})}.{body}.{signature}",
        "HS512": signed(claims, algorithm="HS512"),
        "HS384": signed(claims, algorithm="HS384"),
        "RS256 with our signature": f"{segment({'alg': 'RS256'})}.{body}.{signature}",
        "no alg": f"{segment({'typ': 'JWT'})}.{body}.{signature}",
        "another key": signed(claims, key="x" * 40),
        "empty key": signed(claims, key=""),
        "critical extension": signed(claims, crit=["exp"]),
        "unknown critical extension": signed(claims, crit=["x"], x=1),
        "unencoded payload": signed(claims, b64=False, crit=["b64"]),
        "own key in header": signed(claims, key="x" * 40, jwk={"kty": "oct", "k": "eHh4"}),
        "expired": signed({**claims, "exp": now - 10}),
        "not yet": signed({**claims, "nbf": now + 3600}),
        "issued in the future": signed({**claims, "iat": now + 3600}),
        "huge": signed({**claims, "x": "y" * 20_000}),
        "changed body": f"{head}.{segment({**claims, 'address_id': 999})}.{signature}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{ann.jwt}.x",
        "another address": signed({**claims, "address": "bob@inbox.test"}),
        "another id": signed({**claims, "address_id": ann.address_id + 1}),
        "address is a number": signed({**claims, "address": 1}),
        "address is a list": signed({**claims, "address": [ann.address]}),
        "claims are a list": f"{head}.{segment([1])}.{signature}",
        "NUL": ann.jwt + "\x00",
        "newline inside": ann.jwt.replace(".", ".\t", 1),
    }
    for name, token in bad.items():
        for path in ("/api/inbox", "/api/mail/1", "/api/settings"):
            status, _ = await ask_raw(site, "GET", path, {"Authorization": f"Bearer {token}"})
            expected = (401, 400) if path == "/api/settings" else (401,)
            assert status in expected, (name, path, status)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_tokens_that_clients_of_the_contract_hold_are_good(site: Site, scheme: str) -> None:
    """Hazard 38: ids as text, no id at all, extra claims, any order, no `typ`."""
    ann = await site.open()
    for claims in (
        {"address": ann.address, "address_id": ann.address_id},
        {"address_id": str(ann.address_id), "address": ann.address},
        {"address": ann.address},
        {"x": {"y": 1}, "address": ann.address, "address_id": ann.address_id, "exp": 1 << 40},
        {"address": ann.address.upper(), "address_id": ann.address_id, "iat": 1_700_000_000},
    ):
        token = signed(claims)
        answer = await site.http.get("/api/inbox", headers={"Authorization": f"{scheme}  {token}"})
        assert answer.status_code == 200, claims


async def test_the_token_of_a_closed_address_does_not_open_its_successor(site: Site) -> None:
    """Hazard 38: the same name opened anew is another mailbox."""
    old = await site.open()
    await site.http.delete("/api/delete_address", headers=old.auth)
    new = await site.open()
    assert new.address == old.address
    assert new.address_id != old.address_id
    await site.arrive()
    assert (await site.http.get("/api/inbox", headers=old.auth)).status_code == 401
    answer = await site.http.delete("/api/delete_address", headers=old.auth)
    assert answer.json() == {"success": True}
    answer = await site.http.get("/api/inbox", headers=new.auth)
    assert answer.json()["count"] == 1


async def test_a_token_without_an_address_is_told_so_by_the_lists(site: Site) -> None:
    headers = {"Authorization": f"Bearer {signed({'user_id': 1})}"}
    for path in ("/api/mails", "/api/parsed_mails", "/api/sendbox"):
        answer = await site.http.get(f"{path}?limit=20&offset=0", headers=headers)
        assert (answer.status_code, answer.json()) == (400, {"error": "No address"})
    assert (await site.http.get("/api/inbox", headers=headers)).status_code == 401


async def test_the_admin_api_without_password_needs_its_switch(site_with: SiteWith) -> None:
    async with site_with(disable_admin_password_check=True) as site:
        assert (await site.http.get("/admin/statistics")).status_code == 200
    async with site_with(admin_passwords=[]) as site:
        for shown in ("", "x"):
            answer = await site.http.get("/admin/statistics", headers={"x-admin-auth": shown})
            assert answer.status_code == 401


async def test_the_router_refuses_the_same_route_twice(site: Site) -> None:
    twice = [operations(site)[0]] * 2
    with pytest.raises(ValueError, match="twice"):
        Table(twice)
