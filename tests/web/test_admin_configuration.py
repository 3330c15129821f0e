"""Configuration, kept values and the state of the store: mailbox-api §3.6 and §7.3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, ADMIN_PASSWORD, SECRET, Site

pytestmark = pytest.mark.anyio

ALWAYS = {
    "HAS_PASSWORD", "HAS_ADMIN_PASSWORDS", "ANNOUNCEMENT", "ALWAYS_SHOW_ANNOUNCEMENT", "PREFIX",
    "ADDRESS_CHECK_REGEX", "ADDRESS_REGEX", "MIN_ADDRESS_LEN", "MAX_ADDRESS_LEN",
    "FORWARD_ADDRESS_LIST", "SUBDOMAIN_FORWARD_ADDRESS_LIST", "DEFAULT_DOMAINS", "DOMAINS",
    "ENABLE_CREATE_ADDRESS_SUBDOMAIN_MATCH", "RANDOM_SUBDOMAIN_DOMAINS", "RANDOM_SUBDOMAIN_LENGTH",
    "DOMAIN_LABELS", "HAS_JWT_SECRET", "ADMIN_USER_ROLE", "USER_DEFAULT_ROLE", "USER_ROLES",
    "NO_LIMIT_SEND_ROLE", "ENABLE_USER_CREATE_EMAIL", "DISABLE_ANONYMOUS_USER_CREATE_EMAIL",
    "ENABLE_USER_DELETE_EMAIL", "ENABLE_AUTO_REPLY", "ENABLE_WEBHOOK", "S3_ENABLED", "VERSION",
    "DISABLE_SHOW_GITHUB", "DISABLE_SHOW_GITHUB_FOR_USER", "DISABLE_ADMIN_PASSWORD_CHECK",
    "ENABLE_CHECK_JUNK_MAIL", "JUNK_MAIL_CHECK_LIST", "JUNK_MAIL_FORCE_PASS_LIST",
    "REMOVE_EXCEED_SIZE_ATTACHMENT", "REMOVE_ALL_ATTACHMENT", "ENABLE_ANOTHER_WORKER",
    "ANOTHER_WORKER_LIST",
}  # fmt: skip
WHERE_SET = {"DEFAULT_LANG", "TITLE", "ADMIN_CONTACT", "COPYRIGHT"}


async def test_the_configuration_in_force_has_the_keys_of_the_contract(
    site_with: SiteWith,
) -> None:
    async with site_with() as site:
        answer = await site.http.get("/admin/worker/configs", headers=ADMIN)
        assert set(answer.json()) == ALWAYS
    async with site_with(
        default_lang="zh",
        title="T",
        admin_contact="c",
        copyright="©",
        prefix="Tmp",
        no_limit_send_role="vip, gold,",
        passwords=[],
        random_subdomain_length=99,
        another_worker_list=[
            {"binding": "https://me:pw@hook.example/x?key=k", "keywords": ["a"], "secret": "s"}
        ],
    ) as site:
        answer = await site.http.get("/admin/worker/configs", headers=ADMIN)
        told = answer.json()
        assert set(told) == ALWAYS | WHERE_SET
        assert told["PREFIX"] == "Tmp"
        assert told["NO_LIMIT_SEND_ROLE"] == ["vip", "gold"]
        assert (told["HAS_PASSWORD"], told["HAS_ADMIN_PASSWORDS"]) == (0, 1)
        assert told["HAS_JWT_SECRET"] is True
        assert told["SUBDOMAIN_FORWARD_ADDRESS_LIST"] is None
        assert told["DEFAULT_DOMAINS"] == told["DOMAINS"] == ["inbox.test", "second.test"]
        assert told["RANDOM_SUBDOMAIN_LENGTH"] == 63
        assert told["VERSION"].startswith("v")
        assert told["ANOTHER_WORKER_LIST"] == [
            {"binding": "https://hook.example/x", "keywords": ["a"]}
        ]
        for secret in (SECRET, ADMIN_PASSWORD, "pw@", "key=k"):
            assert secret not in answer.text


# body, status, text
KEEPING: list[tuple[Any, int, str]] = [
    ({"key": "d1_storage_plan", "value": "free"}, 200, ""),
    ({"key": "a", "value": ""}, 200, ""),
    ({"key": "a" * 64, "value": "x"}, 200, ""),
    ({"key": "a" * 65, "value": "x"}, 400, "Invalid config key"),
    ({"key": "", "value": "x"}, 400, "Invalid config key"),
    ({"key": "_a", "value": "x"}, 400, "Invalid config key"),
    ({"key": "a b", "value": "x"}, 400, "Invalid config key"),
    ({"key": "a\n", "value": "x"}, 400, "Invalid config key"),
    ({"key": "é", "value": "x"}, 400, "Invalid config key"),
    ({"key": 1, "value": "x"}, 400, "Invalid config key"),
    ({"value": "x"}, 400, "Invalid config key"),
    ({"key": "a"}, 400, "Config value must be a string"),
    ({"key": "a", "value": 1}, 400, "Config value must be a string"),
    ({"key": "a", "value": None}, 400, "Config value must be a string"),
]


@pytest.mark.parametrize(("body", "status", "words"), KEEPING)
async def test_a_front_end_keeps_values_here(
    site: Site, body: Any, status: int, words: str
) -> None:
    answer = await site.http.post("/admin/config", json=body, headers=ADMIN)
    assert answer.status_code == status, answer.text
    if words:
        assert answer.text == words
        return
    assert answer.json() == {"success": True, **body}
    assert (await site.http.get(f"/admin/config/{body['key']}", headers=ADMIN)).json() == body


async def test_a_value_that_nobody_kept_is_null_and_ours_are_not_shown(site: Site) -> None:
    account = {"blockList": ["x"], "sendBlockList": [], "verifiedAddressList": []}
    await site.http.post("/admin/account_settings", json=account, headers=ADMIN)
    for key in ("nothing", "address_block_list", "admin-config"):
        answer = await site.http.get(f"/admin/config/{key}", headers=ADMIN)
        assert answer.json() == {"key": key, "value": None}
    await site.http.post(
        "/admin/config", json={"key": "address_block_list", "value": "[]"}, headers=ADMIN
    )
    settings = await site.http.get("/admin/account_settings", headers=ADMIN)
    assert settings.json()["blockList"] == ["x"]
    for key in ("-x", "a%20b", "x" * 65):
        answer = await site.http.get(f"/admin/config/{key}", headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, "Invalid config key")


async def test_the_store_makes_itself(site: Site) -> None:
    state = (await site.http.get("/admin/db_version", headers=ADMIN)).json()
    assert state.pop("database_size") > 0
    assert state == {
        "need_initialization": False,
        "need_migration": False,
        "current_db_version": "v0.0.7",
        "code_db_version": "v0.0.7",
    }
    for body in (b"", b"not json"):
        headers = {**ADMIN, "content-type": "application/json"}
        answer = await site.http.post("/admin/db_initialize", content=body, headers=headers)
        assert answer.json() == {"message": "Database already initialized"}
        answer = await site.http.post("/admin/db_migration", content=body, headers=headers)
        assert answer.json() == {
            "success": True,
            "message": "Database does not need migration",
        }
