"""Who shows this credential? Tokens and passwords, and those that are not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from mailbox_service.core.errors import BadCredential, TooManyRequests, UnknownMailbox
from mailbox_service.services.passwords import digest_of
from tests.databases import AnyDatabase
from tests.services.parts import PEER, SECRET, Mailboxes

pytestmark = pytest.mark.anyio


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(claims: dict[str, Any], **more: Any) -> str:
    return jwt.encode(claims, more.pop("key", SECRET), **{"algorithm": "HS256", **more})


HEADER = {"alg": "HS256", "typ": "JWT"}
Claims = dict[str, Any]

REFUSED: dict[str, Callable[[Claims], str]] = {
    "alg none": lambda claims: f"{part({'alg': 'none'})}.{part(claims)}.",
    "alg none, signed": lambda c: f"{part({'alg': 'None'})}.{signed(c).split('.', 1)[1]}",
    "another key": lambda claims: signed(claims, key="x" * 32),
    "HS512 of the same key": lambda claims: signed(claims, algorithm="HS512", key=SECRET * 2),
    "crit that nobody knows": lambda c: signed(c, headers={"crit": ["x"], "x": 1}),
    "no signature": lambda claims: signed(claims).rpartition(".")[0] + ".",
    "two parts": lambda claims: signed(claims).rpartition(".")[0],
    "huge": lambda claims: signed({**claims, "padding": "x" * 100_000}),
    "expired": lambda claims: signed({**claims, "exp": 1}),
    "not yet": lambda claims: signed({**claims, "nbf": 4_000_000_000}),
    "issued in the future": lambda claims: signed({**claims, "iat": 4_000_000_000}),
    "not an address": lambda claims: signed({**claims, "address": ["ann@x.test"]}),
    "no address": lambda claims: signed({"address_id": claims["address_id"] + 1}),
    "another address's id": lambda c: signed({**c, "address_id": c["address_id"] + 1}),
    "another's name with this id": lambda c: signed({**c, "address": "bob@x.test"}),
    "true as an id": lambda claims: signed({"address": "no@x.test", "address_id": True}),
    "payload that is a list": lambda claims: f"{part(HEADER)}.{part([1])}.{'A' * 43}",
    "deep JSON": lambda claims: f"{part(HEADER)}.{'W1tb' * 900}.{'A' * 43}",
    "empty": lambda claims: "",
    "words": lambda claims: "not a token at all",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_token_that_is_not_ours_proves_nobody(database: AnyDatabase, name: str) -> None:
    """Hazard 38."""
    mailboxes = Mailboxes(database)
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    token = REFUSED[name]({"address": "ann@x.test", "address_id": opened.address_id})
    with pytest.raises(BadCredential, match=r"^Invalid address credential$"):
        await mailboxes.authenticating.address_token(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"address": "ann@x.test", "address_id": 1},
        {"address_id": "1", "address": "ann@x.test", "more": [1]},
        {"address": "Ann@X.test"},
    ],
)
async def test_a_token_of_an_older_deployment_counts(database: AnyDatabase, claims: Claims) -> None:
    """Ids as text or missing, claims in any order, other spelling of the same address."""
    mailboxes = Mailboxes(database)
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    if "address_id" in claims:
        claims = {**claims, "address_id": type(claims["address_id"])(opened.address_id)}
    principal = await mailboxes.authenticating.address_token(signed(claims))
    assert principal.address == "ann@x.test"


async def test_a_short_secret_of_an_older_deployment_counts(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, jwt_secret="short")
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    principal = await mailboxes.authenticating.address_token(opened.jwt)
    assert principal.address_id == opened.address_id


async def test_a_login_takes_token_password_and_its_hash(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert opened.password is not None
    login = mailboxes.authenticating.login
    for username, password in (
        ("jwt", opened.jwt),
        ("anything", opened.jwt),
        ("ann@x.test", opened.password),
        ("ANN@X.TEST", digest_of(opened.password)),
    ):
        assert (await login(username, password, PEER)).address == "ann@x.test"
    await mailboxes.registering.set_password(opened.address_id, digest_of("chosen by ann"))
    assert (await login("ann@x.test", "chosen by ann", PEER)).address == "ann@x.test"
    for username, password in (
        ("ann@x.test", opened.password),
        ("ann@x.test", ""),
        ("nobody@x.test", "chosen by ann"),
        ("", "chosen by ann"),
    ):
        with pytest.raises(BadCredential, match=r"^Invalid email or password$"):
            await login(username, password, PEER)


async def test_guessing_is_slowed_and_the_right_password_of_others_is_not(
    database: AnyDatabase,
) -> None:
    """Hazard 10: the eleventh wrong guess of a peer in a minute is not even looked at."""
    mailboxes = Mailboxes(database)
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert opened.password is not None
    login = mailboxes.authenticating.password_login
    for guess in range(10):
        with pytest.raises(BadCredential):
            await login("ann@x.test", digest_of(str(guess)), "192.0.2.66")
    with pytest.raises(TooManyRequests):
        await login("ann@x.test", digest_of(opened.password), "192.0.2.66")
    assert (await login("ann@x.test", digest_of(opened.password), "198.51.100.1")).jwt
    with pytest.raises(UnknownMailbox):
        await login("nobody@x.test", digest_of("x"), "198.51.100.1")


async def test_address_passwords_that_are_switched_off_open_nothing(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert opened.password is not None
    without = Mailboxes(database, enable_address_password=False)
    with pytest.raises(BadCredential):
        await without.authenticating.login("ann@x.test", opened.password, PEER)


async def test_site_and_admin_passwords_are_compared_whole(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, admin_passwords=["pässword", "two"], passwords=["site"])
    authenticating = mailboxes.authenticating
    assert authenticating.admin_password("pässword")
    assert authenticating.admin_digest(digest_of("two"))
    assert authenticating.site_password("site")
    assert authenticating.site_digest(digest_of("site"))
    for wrong in ("", "p", "two ", digest_of("two")):
        assert not authenticating.admin_password(wrong)
    assert not authenticating.admin_digest("two")
    assert not Mailboxes(database).authenticating.admin_password("")
    assert not Mailboxes(database, admin_passwords=[""]).authenticating.admin_password("")


@pytest.mark.parametrize("name", ["ann@x.test", "grüße@x.test", 'quote"back\\slash@x.test', ""])
async def test_our_tokens_are_what_any_library_reads(database: AnyDatabase, name: str) -> None:
    """Three parts, HS256, the claims by their names (mailbox-api §2.1)."""
    token = Mailboxes(database).authenticating.token_for(name, 7)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert claims == {"address": name, "address_id": 7}


async def test_a_token_that_was_looked_up_while_its_address_was_closed_proves_nothing_behind_it(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailboxes = Mailboxes(database)
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    read_quick = database.read_quick

    async def slow(*args: Any, **values: Any) -> Any:
        row = await read_quick(*args, **values)
        monkeypatch.undo()
        await mailboxes.registering.close(opened.address_id, opened.address)
        return row

    monkeypatch.setattr(database, "read_quick", slow)
    await mailboxes.authenticating.address_token(opened.jwt)
    with pytest.raises(BadCredential):
        await mailboxes.authenticating.address_token(opened.jwt)
