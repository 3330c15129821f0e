"""Passkeys, row by row of mailbox-api §3.5, with a real authenticator in software."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mailbox_service.core.accounts import Account
from mailbox_service.core.passkeys import base64url, from_base64url
from mailbox_service.storage import users
from tests.web.conftest import SiteWith
from tests.web.site import Site
from tests.web.software_authenticator import SoftwareAuthenticator

pytestmark = pytest.mark.anyio

HOST, PAGE = "mail.example", "https://mail.example"
FAILED = "Authentication failed"
NOT_KEPT = "Registration failed"


class Person:
    """An account of a site, with its user token."""

    def __init__(self, site: Site, account: Account) -> None:
        self.site = site
        self.account = account
        self.auth = {"x-user-token": site.parts.accounts.token_for(account)}

    async def post(self, path: str, value: Any) -> Any:
        return await self.site.http.post(f"/user_api/passkey/{path}", json=value, headers=self.auth)

    async def options(self, domain: str = HOST) -> dict[str, Any]:
        got = await self.post("register_request", {"domain": domain})
        assert got.status_code == 200, got.text
        found: dict[str, Any] = got.json()
        return found

    async def register(
        self, key: SoftwareAuthenticator, name: str = "Phone", origin: str = PAGE
    ) -> Any:
        made = key.create(await self.options(), origin=origin)
        return await self.keep(made, name, origin)

    async def keep(self, credential: Any, name: str = "Phone", origin: str = PAGE) -> Any:
        told = {"credential": credential, "origin": origin, "passkey_name": name}
        return await self.post("register_response", told)

    async def keys(self) -> list[dict[str, Any]]:
        got = await self.site.http.get("/user_api/passkey", headers=self.auth)
        assert got.status_code == 200
        found: list[dict[str, Any]] = got.json()
        return found


async def person(site: Site, email: str = "ann@home.example") -> Person:
    return Person(site, await site.parts.accounts.ensure(email, source="test"))


async def login_options(site: Site, domain: str = HOST) -> dict[str, Any]:
    got = await site.http.post("/user_api/passkey/authenticate_request", json={"domain": domain})
    assert got.status_code == 200, got.text
    found: dict[str, Any] = got.json()
    return found


async def log_in(site: Site, credential: Any, domain: str = HOST, origin: str = PAGE) -> Any:
    told = {"domain": domain, "origin": origin, "credential": credential}
    return await site.http.post("/user_api/passkey/authenticate_response", json=told)


def claims(challenge: str) -> dict[str, Any]:
    """What a challenge says: base64url of a token of ours (§3.5)."""
    token = from_base64url(challenge).decode()
    found: dict[str, Any] = json.loads(from_base64url(token.split(".")[1]))
    return found


async def test_creation_options_are_those_of_the_contract(site: Site) -> None:
    ann = await person(site)
    options = await ann.options()
    said = claims(options.pop("challenge"))
    assert (said["user_email"], said["user_id"]) == ("ann@home.example", ann.account.id)
    assert "exp" not in said
    assert options == {
        "rp": {"name": "Temp Mail", "id": HOST},
        "user": {
            "id": base64.urlsafe_b64encode(str(ann.account.id).encode()).rstrip(b"=").decode(),
            "name": "ann@home.example",
            "displayName": "ann@home.example",
        },
        "pubKeyCredParams": [
            {"alg": -8, "type": "public-key"},
            {"alg": -7, "type": "public-key"},
            {"alg": -257, "type": "public-key"},
        ],
        "timeout": 60000,
        "attestation": "none",
        "excludeCredentials": [],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "userVerification": "preferred",
            "requireResidentKey": False,
        },
        "extensions": {"credProps": True},
        "hints": [],
    }


async def test_request_options_are_those_of_the_contract(site: Site) -> None:
    options = await login_options(site)
    said = claims(options.pop("challenge"))
    assert said["domain"] == HOST
    assert options == {
        "rpId": HOST,
        "allowCredentials": [],
        "timeout": 60000,
        "userVerification": "preferred",
    }


async def test_the_title_of_the_site_is_the_name_of_the_relying_party(
    site_with: SiteWith,
) -> None:
    async with site_with(title="Post") as site:
        options = await (await person(site)).options()
        assert options["rp"] == {"name": "Post", "id": HOST}


@pytest.mark.parametrize("packed", [False, True], ids=["none", "packed"])
@pytest.mark.parametrize("counts", [False, True], ids=["synchronised", "counting"])
async def test_a_passkey_is_made_used_renamed_and_forgotten(
    site: Site, packed: bool, counts: bool
) -> None:
    ann = await person(site)
    key = SoftwareAuthenticator(packed=packed, counts=counts)
    got = await ann.register(key)
    assert (got.status_code, got.json()) == (200, {"success": True})
    (row,) = await ann.keys()
    assert set(row) == {"passkey_name", "passkey_id", "created_at", "updated_at"}
    assert (row["passkey_name"], row["passkey_id"]) == ("Phone", key.id)
    for _ in range(2):
        got = await log_in(site, key.get(await login_options(site), origin=PAGE))
        assert got.status_code == 200, got.text
        assert set(got.json()) == {"jwt"}
        proved = await site.parts.accounts.principal_of(got.json()["jwt"])
        assert (proved.user_id, proved.email) == (ann.account.id, "ann@home.example")
    got = await ann.post("rename", {"passkey_id": key.id, "passkey_name": "Laptop"})
    assert got.json() == {"success": True}
    assert [one["passkey_name"] for one in await ann.keys()] == ["Laptop"]
    got = await site.http.delete(f"/user_api/passkey/{key.id}", headers=ann.auth)
    assert got.json() == {"success": True}
    assert await ann.keys() == []
    got = await log_in(site, key.get(await login_options(site), origin=PAGE))
    assert (got.status_code, got.text) == (404, "Passkey not found")


async def test_what_is_kept_has_the_form_of_the_contract(site: Site) -> None:
    """§3.5: `{id, publicKey, counter, deviceType, backedUp, transports}`."""
    ann = await person(site)
    for key in (SoftwareAuthenticator(), SoftwareAuthenticator(counts=False)):
        await ann.register(key)
    copied, single = [one.credential for one in
                      await site.parts.passkeys.list_of(ann.account.id)]  # fmt: skip
    assert set(single) == {"id", "publicKey", "counter", "deviceType", "backedUp", "transports"}
    assert (single["deviceType"], single["backedUp"], single["counter"]) == (
        "singleDevice", False, 1)  # fmt: skip
    assert (copied["deviceType"], copied["backedUp"]) == ("multiDevice", True)
    excluded = (await ann.options())["excludeCredentials"]
    assert excluded == [
        {"id": one["id"], "type": "public-key", "transports": ["internal", "hybrid"]}
        for one in (copied, single)
    ]


@pytest.mark.parametrize(
    ("name", "status"), [("x" * 255, 200), ("", 400), ("x" * 256, 400), (None, 400), (5, 400)]
)
async def test_a_name_has_one_to_255_characters(site: Site, name: Any, status: int) -> None:
    ann = await person(site)
    key = SoftwareAuthenticator()
    await ann.register(key)
    got = await ann.post("rename", {"passkey_id": key.id, "passkey_name": name})
    assert got.status_code == status
    assert status == 200 or got.text == "Invalid passkey name"


async def test_renaming_what_is_not_there_succeeds(site: Site) -> None:
    ann = await person(site)
    for passkey_id in ("nope", "", "x" * 5000, "a\0b"):
        got = await ann.post("rename", {"passkey_id": passkey_id, "passkey_name": "x"})
        assert (got.status_code, got.json()) == (200, {"success": True})
    got = await site.http.delete("/user_api/passkey/nope", headers=ann.auth)
    assert got.json() == {"success": True}


async def test_nobody_touches_the_passkeys_of_somebody_else(site: Site) -> None:
    """Hazard 37."""
    ann, bob = await person(site), await person(site, "bob@home.example")
    key = SoftwareAuthenticator()
    await ann.register(key)
    await bob.post("rename", {"passkey_id": key.id, "passkey_name": "Bob's"})
    await site.http.delete(f"/user_api/passkey/{key.id}", headers=bob.auth)
    assert await bob.keys() == []
    assert [one["passkey_name"] for one in await ann.keys()] == ["Phone"]
    got = await bob.register(key)  # a key is one person's
    assert (got.status_code, got.text) == (400, NOT_KEPT)


async def test_a_challenge_registers_only_whom_it_was_made_for(site: Site) -> None:
    ann, bob = await person(site), await person(site, "bob@home.example")
    made = SoftwareAuthenticator().create(await ann.options(), origin=PAGE)
    got = await bob.keep(made)
    assert (got.status_code, got.text) == (400, NOT_KEPT)
    assert await bob.keys() == []


async def test_a_challenge_registers_once(site: Site) -> None:
    ann = await person(site)
    options = await ann.options()
    assert (await ann.keep(SoftwareAuthenticator().create(options, origin=PAGE))).status_code == 200
    got = await ann.keep(SoftwareAuthenticator().create(options, origin=PAGE))
    assert (got.status_code, got.text) == (400, NOT_KEPT)
    assert len(await ann.keys()) == 1


@pytest.mark.parametrize(
    ("signed_for", "told"),
    [
        ("https://evil.example", PAGE),
        ("https://evil.example", "https://evil.example"),
        (PAGE, "https://evil.example"),
        (PAGE, ""),
        ("http://mail.example.evil.example", "http://mail.example.evil.example"),
        ("https://evilmail.example", "https://evilmail.example"),
    ],
)
async def test_a_passkey_is_made_on_a_page_of_its_host(
    site: Site, signed_for: str, told: str
) -> None:
    """The REF takes the page's word for its host (§15, 28)."""
    ann = await person(site)
    made = SoftwareAuthenticator().create(await ann.options(), origin=signed_for)
    got = await ann.keep(made, origin=told)
    assert (got.status_code, got.text) == (400, NOT_KEPT)


async def test_pages_may_be_named(site_with: SiteWith) -> None:
    """§3.5 BETTER: configured origins alone."""
    origins = ["https://app.mail.example", "https://mail.example:8443/"]
    async with site_with(passkey_origins=origins) as site:
        ann = await person(site)
        got = await ann.register(SoftwareAuthenticator(), origin=PAGE)
        assert got.status_code == 400
        for origin in ("https://app.mail.example", "https://mail.example:8443"):
            key = SoftwareAuthenticator()
            assert (await ann.register(key, origin=origin)).status_code == 200
            got = await log_in(site, key.get(await login_options(site), origin=origin),
                               origin=origin)  # fmt: skip
            assert got.status_code == 200
            got = await log_in(site, key.get(await login_options(site), origin=PAGE))
            assert got.status_code == 500
    async with site_with(frontend_url="https://mail.example/inbox") as site:
        ann = await person(site)
        assert (await ann.register(SoftwareAuthenticator(), origin=PAGE)).status_code == 200
        got = await ann.register(SoftwareAuthenticator(), origin="https://sub.mail.example")
        assert got.status_code == 400


def forged(told: dict[str, Any], **response: Any) -> dict[str, Any]:
    return {**told, "response": {**told["response"], **response}}


async def test_a_malformed_registration_is_refused(site: Site) -> None:
    ann = await person(site)
    made = SoftwareAuthenticator().create(await ann.options(), origin=PAGE)
    wrongs: list[Any] = [
        None,
        {},
        [],
        "x",
        {"id": made["id"]},
        forged(made, clientDataJSON="x"),
        forged(made, clientDataJSON=5),
        forged(made, attestationObject=""),
        forged(made, attestationObject=base64url(b"\x9f" * 50_000)),
        forged(made, attestationObject=base64url(b"\xa1" * 5_000)),
        {**made, "rawId": "b3RoZXI"},
        {**made, "type": "other"},
        {**made, "response": None},
    ]
    for wrong in wrongs:
        got = await ann.keep(wrong)
        assert 400 <= got.status_code <= 500, wrong
        assert got.headers["content-type"] == "text/plain; charset=UTF-8"
    assert await ann.keys() == []
    assert (await ann.keep(made)).status_code == 200


async def logged_in(site: Site, **kind: Any) -> tuple[Person, SoftwareAuthenticator]:
    ann = await person(site)
    key = SoftwareAuthenticator(**kind)
    assert (await ann.register(key)).status_code == 200
    return ann, key


async def test_a_login_without_an_id_is_invalid_input(site: Site) -> None:
    for wrong in (None, {}, {"id": ""}, {"id": None}, {"id": 5}):
        got = await log_in(site, wrong)
        assert (got.status_code, got.text) == (400, "Invalid input")


@pytest.mark.parametrize("passkey_id", ["nope", "x" * 5000, "a\0b", "ü"])
async def test_an_unknown_passkey_is_not_found(site: Site, passkey_id: str) -> None:
    got = await log_in(site, {"id": passkey_id})
    assert (got.status_code, got.text) == (404, "Passkey not found")


async def test_a_wrong_signature_fails(site: Site) -> None:
    _, key = await logged_in(site)
    told = key.get(await login_options(site), origin=PAGE)
    other = SoftwareAuthenticator(credential_id=key.credential_id, counter=9)
    got = await log_in(site, other.get(await login_options(site), origin=PAGE))
    assert (got.status_code, got.text) == (400, FAILED)
    assert (await log_in(site, told)).status_code == 200


@pytest.mark.parametrize("counts", [False, True], ids=["synchronised", "counting"])
async def test_an_answer_is_good_once(site: Site, counts: bool) -> None:
    """Also where no counter tells a replay."""
    _, key = await logged_in(site, counts=counts)
    told = key.get(await login_options(site), origin=PAGE)
    assert (await log_in(site, told)).status_code == 200
    assert (await log_in(site, told)).status_code == 500
    options = await login_options(site)
    assert (await log_in(site, key.get(options, origin=PAGE))).status_code == 200
    assert (await log_in(site, key.get(options, origin=PAGE))).status_code == 500


async def test_a_counter_that_does_not_grow_tells_of_a_copy(site: Site) -> None:
    _, key = await logged_in(site)
    assert (await log_in(site, key.get(await login_options(site), origin=PAGE))).status_code == 200
    copy = SoftwareAuthenticator(credential_id=key.credential_id, key=key.key, counter=0)
    got = await log_in(site, copy.get(await login_options(site), origin=PAGE))
    assert got.status_code == 500
    assert got.text.startswith("Error ")


@pytest.mark.parametrize(
    ("signed", "told_domain", "told_origin"),
    [
        ({"origin": "https://evil.example"}, HOST, PAGE),
        ({"origin": "https://evil.example"}, HOST, "https://evil.example"),
        ({"origin": PAGE, "domain": "evil.example"}, HOST, PAGE),
        ({"origin": PAGE}, "evil.example", PAGE),
        ({"origin": PAGE}, HOST, "https://evil.example"),
    ],
)
async def test_a_login_belongs_to_its_page_and_host(
    site: Site, signed: dict[str, str], told_domain: str, told_origin: str
) -> None:
    _, key = await logged_in(site)
    told = key.get(await login_options(site), **signed)
    got = await log_in(site, told, domain=told_domain, origin=told_origin)
    assert got.status_code == 500
    assert "jwt" not in got.text


async def test_a_passkey_of_one_host_is_none_of_another(site: Site) -> None:
    """A page elsewhere asks for a challenge of its own, for a key that was made here."""
    _, key = await logged_in(site)
    evil = "https://evil.example"
    told = key.get(await login_options(site, "evil.example"), origin=evil)
    assert (await log_in(site, told, domain="evil.example", origin=evil)).status_code == 500


async def test_challenges_of_another_make_are_refused(site: Site) -> None:
    """Hazard 38: other tokens of ours, unsigned ones, old ones."""
    ann, key = await logged_in(site)
    sign = site.parts.authenticating.sign
    now = claims((await login_options(site))["challenge"])["iat"]
    good = {"domain": HOST, "use": "passkey-login", "jti": "x"}
    for token in (
        ann.auth["x-user-token"],
        (await site.open()).jwt,
        from_base64url((await ann.options())["challenge"]).decode(),
        sign({**good, "iat": now - 310}),
        sign({**good, "iat": now + 60}),
        sign({**good, "iat": True}),
        sign({**good, "iat": str(now)}),
        sign(good),
        sign({**good, "iat": now, "jti": ""}),
        sign({**good, "iat": now, "domain": "other.example"}),
        "e30.e30.",
        "nonsense",
    ):
        options = {"challenge": base64url(token.encode()), "rpId": HOST}
        got = await log_in(site, key.get(options, origin=PAGE))
        assert got.status_code == 500, token
    options = {"challenge": base64url(sign({**good, "iat": now}).encode()), "rpId": HOST}
    assert (await log_in(site, key.get(options, origin=PAGE))).status_code == 200


async def test_a_challenge_is_no_user_token_and_no_address_token(site: Site) -> None:
    """Hazard 38."""
    ann = await person(site)
    for options in (await ann.options(), await login_options(site)):
        token = from_base64url(options["challenge"]).decode()
        got = await site.http.get("/user_api/passkey", headers={"x-user-token": token})
        assert got.status_code == 401
        got = await site.http.get("/api/inbox", headers={"Authorization": f"Bearer {token}"})
        assert got.status_code == 401


async def test_a_passkey_goes_with_its_account(site: Site) -> None:
    ann, key = await logged_in(site)
    await site.parts.accounts.remove(ann.account.id)
    got = await log_in(site, key.get(await login_options(site), origin=PAGE))
    assert (got.status_code, got.text) == (404, "Passkey not found")


async def test_a_passkey_whose_account_is_gone_opens_nothing(site: Site) -> None:
    ann, key = await logged_in(site)
    await site.parts.database.write(users.remove, ann.account.id, now=1)
    got = await log_in(site, key.get(await login_options(site), origin=PAGE))
    assert (got.status_code, got.text) == (404, "User not found")
    got = await ann.post("register_request", {"domain": HOST})
    assert (got.status_code, got.text) == (400, "User not found")


@pytest.mark.parametrize("domain", ["", None, "a b", "x" * 300, "http://x", "x/y", "ü.example"])
async def test_a_domain_is_a_host(site: Site, domain: Any) -> None:
    got = await site.http.post("/user_api/passkey/authenticate_request", json={"domain": domain})
    assert (got.status_code, got.text) == (400, "Invalid domain")


async def test_an_account_keeps_a_bounded_number(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailbox_service.core.passkeys.MOST_PASSKEYS", 2)
    ann = await person(site)
    found = [(await ann.register(SoftwareAuthenticator())).status_code for _ in range(3)]
    assert found == [200, 200, 400]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/user_api/passkey"),
        ("POST", "/user_api/passkey/rename"),
        ("DELETE", "/user_api/passkey/x"),
        ("POST", "/user_api/passkey/register_request"),
        ("POST", "/user_api/passkey/register_response"),
    ],
)
async def test_all_but_signing_in_needs_an_account(site: Site, method: str, path: str) -> None:
    got = await site.http.request(method, path)
    assert (got.status_code, got.text) == (401, "Your token has expired, please login again")
