"""Cleanup: mailbox-api §3.6 and §12 as tables of cases."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.cleanup import DAY
from mailbox_service.services.clock import now_micros
from mailbox_service.storage.database import Transaction
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

BAD_CONFIG = "Operation failed: Invalid cleanType or cleanDays"
BAD_TYPE = "Operation failed: Invalid cleanType"
# body, status, text
REQUESTS: list[tuple[Any, int, str]] = [
    ({}, 500, BAD_CONFIG),
    ({"cleanType": "mails"}, 500, BAD_CONFIG),
    ({"cleanDays": 1}, 500, BAD_CONFIG),
    ({"cleanType": "", "cleanDays": 1}, 500, BAD_CONFIG),
    ({"cleanType": "mails", "cleanDays": "1"}, 500, BAD_CONFIG),
    ({"cleanType": "mails", "cleanDays": None}, 500, BAD_CONFIG),
    ({"cleanType": "mails", "cleanDays": True}, 500, BAD_CONFIG),
    ({"cleanType": "mails", "cleanDays": -1}, 500, BAD_CONFIG),
    ({"cleanType": "mails", "cleanDays": 1001}, 500, BAD_CONFIG),
    ({"cleanType": "everything", "cleanDays": 1}, 500, BAD_TYPE),
    ({"cleanType": "everything", "cleanDays": -1}, 500, BAD_CONFIG),
    ({"cleanType": "mails", "cleanDays": 0}, 200, ""),
    ({"cleanType": "mails", "cleanDays": 1000}, 200, ""),
    ({"cleanType": "mails", "cleanDays": 1.5}, 200, ""),
    *(
        ({"cleanType": kind, "cleanDays": 1}, 200, "")
        for kind in (
            *("mails", "mails_unknow", "sendbox", "inactiveAddress", "addressCreated"),
            *("unboundAddress", "emptyAddress"),
        )
    ),
]


@pytest.mark.parametrize(("body", "status", "words"), REQUESTS)
async def test_what_is_asked_for_is_judged(site: Site, body: Any, status: int, words: str) -> None:
    answer = await site.http.post("/admin/cleanup", json=body, headers=ADMIN)
    assert answer.status_code == status
    if words:
        assert answer.text == words
    else:
        assert answer.json() == {"success": True}


async def test_a_refusal_has_the_language_that_was_asked_for(site: Site) -> None:
    answer = await site.http.post("/admin/cleanup", json={}, headers={**ADMIN, "x-lang": "zh"})
    assert answer.text == "操作失败: 无效的 cleanType 或 cleanDays"


AGES = (
    "UPDATE messages SET received_at = :at WHERE id IN (SELECT id FROM messages WHERE {which})",
    "UPDATE submissions SET created_at = :at WHERE {which}",
    "UPDATE addresses SET created_at = :at WHERE {which}",
    "UPDATE addresses SET updated_at = :at WHERE {which}",
)
MAIL, SENT, CREATED, USED = range(4)


async def make_old(site: Site, what: int, which: str, *, days: float) -> None:
    """Have rows be so many days old."""

    async def unit(tx: Transaction) -> None:
        at = now_micros() - round(days * DAY)
        await tx.execute(AGES[what].format(which=which), {"at": at})

    await site.parts.database.write(unit)


async def clean(site: Site, kind: str, days: float) -> None:
    body = {"cleanType": kind, "cleanDays": days}
    answer = await site.http.post("/admin/cleanup", json=body, headers=ADMIN)
    assert answer.status_code == 200, answer.text


async def mails(site: Site, path: str = "/admin/mails") -> list[int]:
    answer = await site.http.get(f"{path}?limit=100&offset=0", headers=ADMIN)
    return sorted(row["id"] for row in answer.json()["results"])


async def names(site: Site) -> set[str]:
    answer = await site.http.get("/admin/address?limit=100&offset=0", headers=ADMIN)
    return {row["name"] for row in answer.json()["results"]}


async def stored(site: Site, table: str) -> int:
    async def unit(tx: Transaction) -> int:
        row = await tx.fetch_one(f"SELECT count(*) FROM {table}")
        assert row is not None
        return int(row[0])

    return await site.parts.database.read(unit)


async def test_mails_by_age_oldest_first_so_many_at_a_time(site_with: SiteWith) -> None:
    async with site_with(cleanup_batch_size=2) as site:
        await site.open()
        ids = [await site.arrive() for _ in range(5)]
        await make_old(site, MAIL, f"id <> {ids[-1]}", days=3)
        await clean(site, "mails", 4)
        assert await mails(site) == ids
        await clean(site, "mails", 2)
        assert await mails(site) == ids[2:]
        await clean(site, "mails", 2)
        assert await mails(site) == ids[4:]
        await clean(site, "mails", 2)
        assert await mails(site) == ids[4:]
        assert await stored(site, "contents") == 1


async def test_no_days_is_everything_but_the_same_second(site: Site) -> None:
    await site.open()
    older = await site.arrive()
    await make_old(site, MAIL, f"id = {older}", days=2 / 86_400)
    newest = await site.arrive()
    await make_old(site, MAIL, f"id = {newest}", days=-1)  # surely not older
    await clean(site, "mails", 0)
    assert await mails(site) == [newest]


async def test_mails_of_nobody(site: Site) -> None:
    await site.open()
    known = await site.arrive()
    unknown = [await site.arrive("nobody@inbox.test") for _ in range(2)]
    await make_old(site, MAIL, f"id <> {unknown[1]}", days=3)
    await clean(site, "mails_unknow", 2)
    assert await mails(site) == [known, unknown[1]]


async def test_sent_mail_leaves_the_list(site: Site) -> None:
    ann = await site.open()
    draft = {"from_name": "", "to_mail": "bob@far.example", "subject": "x", "content": "y"}
    for _ in range(2):
        answer = await site.http.post("/api/send_mail", json=draft, headers=ann.auth)
        assert answer.status_code == 200, answer.text
    await make_old(site, SENT, "id = 1", days=3)
    await clean(site, "sendbox", 2)
    rows = await site.http.get("/api/sendbox?limit=10&offset=0", headers=ann.auth)
    assert [row["id"] for row in rows.json()["results"]] == [2]
    # It waits to be sent still, and is removed when it was.
    assert await stored(site, "recipients") == 2


# kind, what is made old, which addresses that hits
BY_AGE = [("inactiveAddress", USED), ("addressCreated", CREATED)]


@pytest.mark.parametrize(("kind", "what"), BY_AGE)
async def test_old_addresses_go_with_all_their_data(site: Site, kind: str, what: int) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    await site.arrive("ann@inbox.test")
    kept = await site.arrive("bob@inbox.test")
    await site.http.get("/api/settings", headers=ann.auth)  # makes the allowance
    hook = {"enabled": True, "url": "http://127.0.0.1:9/", "headers": "{}", "body": ""}
    await site.http.post("/api/webhook/settings", json=hook, headers=ann.auth)
    reply = {"auto_reply": {"subject": "a", "message": "b", "enabled": True}}
    await site.http.post("/api/auto_reply", json=reply, headers=ann.auth)
    await make_old(site, what, "address = 'ann@inbox.test'", days=3)
    await clean(site, kind, 4)
    assert await names(site) == {ann.address, bob.address}
    await clean(site, kind, 2)
    assert await names(site) == {bob.address}
    assert await mails(site) == [kept]
    for table in ("allowances", "webhook_settings", "auto_replies"):
        assert await stored(site, table) == 0, table
    assert (await site.http.get("/api/mails?limit=1&offset=0", headers=ann.auth)).status_code == 401


async def test_addresses_by_age_so_many_at_a_time(site_with: SiteWith) -> None:
    async with site_with(cleanup_batch_size=2) as site:
        for name in ("a", "b", "c", "d"):
            await site.open(name)
        for days, name in ((9, "c"), (8, "a"), (7, "d")):
            await make_old(site, CREATED, f"address = '{name}@inbox.test'", days=days)
        await clean(site, "addressCreated", 1)
        assert await names(site) == {"b@inbox.test", "d@inbox.test"}
        await clean(site, "addressCreated", 1)
        assert await names(site) == {"b@inbox.test"}


async def test_empty_addresses_and_those_of_no_account(site_with: SiteWith) -> None:
    async with site_with(cleanup_batch_size=1) as site:
        opened = {name: await site.open(name) for name in ("ann", "bob", "cat")}
        await site.arrive("ann@inbox.test")
        await make_old(site, CREATED, "address <> 'cat@inbox.test'", days=3)

        async def bind(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO user_addresses (user_id, address_id, created_at) VALUES (1, :id, 0)",
                {"id": opened["bob"].address_id},
            )

        await site.parts.database.write(bind)
        await clean(site, "unboundAddress", 2)
        assert await names(site) == {"bob@inbox.test", "cat@inbox.test"}
        await clean(site, "emptyAddress", 2)
        assert await names(site) == {"cat@inbox.test"}


PARTS = {
    "enableMailsAutoCleanup": True,
    "cleanMailsDays": 2,
    "customSqlCleanupList": [
        {"id": "1", "name": "old", "sql": "DELETE FROM sendbox;", "enabled": False},
    ],
    "somethingElse": [1],
}


async def test_automatic_settings_are_kept_as_they_were_posted(site: Site) -> None:
    answer = await site.http.get("/admin/auto_cleanup", headers=ADMIN)
    assert (answer.status_code, answer.text) == (200, "null")
    answer = await site.http.post("/admin/auto_cleanup", json=PARTS, headers=ADMIN)
    assert answer.json() == {"success": True}
    assert (await site.http.get("/admin/auto_cleanup", headers=ADMIN)).json() == PARTS


# statement, reason
STATEMENTS: list[tuple[Any, str]] = [
    ("", "SQL statement is empty"),
    ("  ; ", "SQL statement is empty"),
    (None, "SQL statement is empty"),
    ("DELETE " + "x" * 994, "SQL statement is too long (max 1000 characters)"),
    ("DROP TABLE raw_mails", "Only DELETE statements are allowed"),
    ("DELETED FROM raw_mails", "Only DELETE statements are allowed"),
    ("WITH x AS (SELECT 1) DELETE FROM raw_mails", "Only DELETE statements are allowed"),
    ("DELETE FROM raw_mails; DROP TABLE x", "Only single SQL statement is allowed"),
    ("DELETE FROM raw_mails;;", "Only single SQL statement is allowed"),
    ("DELETE FROM raw_mails -- all", "SQL comments are not allowed"),
    ("DELETE FROM raw_mails /* all */", "SQL comments are not allowed"),
]


@pytest.mark.parametrize(("sql", "reason"), STATEMENTS)
@pytest.mark.parametrize(("name", "shown"), [("mine", "mine"), ("", "unnamed"), (None, "unnamed")])
async def test_a_statement_that_breaks_a_rule_is_not_saved(
    site: Site, sql: Any, reason: str, name: Any, shown: str
) -> None:
    entry = {"id": "1", "name": name, "sql": sql, "enabled": False}
    posted = {"customSqlCleanupList": [entry]}
    answer = await site.http.post("/admin/auto_cleanup", json=posted, headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, f"[{shown}]: {reason}")
    assert (await site.http.get("/admin/auto_cleanup", headers=ADMIN)).text == "null"


def problem(name: str, words: str, code: str, word: str = "") -> dict[str, Any]:
    values = {"word": word} if word else {}
    told = {"code": f"statement.{code}", "values": values}
    return {"name": name, "problem": words, "problem_told": told}


async def test_what_cannot_be_run_here_is_saved_with_a_warning_and_never_run(site: Site) -> None:
    statements = {
        "good": "delete from raw_mails where created_at < datetime('now', '-7 days')",
        "passwords": "DELETE FROM settings",
        "inner": "DELETE FROM raw_mails WHERE id IN (SELECT id FROM messages)",
        "broken": "DELETE FROM raw_mails WHERE id AND OR",
    }
    entries = [
        {"id": name, "name": name, "sql": sql, "enabled": True} for name, sql in statements.items()
    ]
    posted = {"customSqlCleanupList": entries}
    answer = await site.http.post("/admin/auto_cleanup", json=posted, headers=ADMIN)
    assert answer.json() == {
        "success": True,
        "warnings": [
            "[passwords]: nothing can be deleted from 'settings'",
            "[inner]: there is no table 'messages'",
            "[broken]: the store does not understand its condition",
        ],
        "problems": [
            problem("passwords", "nothing can be deleted from 'settings'", "no-target", "settings"),
            problem("inner", "there is no table 'messages'", "no-table", "messages"),
            problem("broken", "the store does not understand its condition", "not-understood"),
        ],
    }
    await site.arrive()
    await site.parts.cleaning._clean_all()
    assert await stored(site, "messages") == 1
    assert await stored(site, "settings") == 1
    runs = (await site.http.get("/admin/cleanup/runs", headers=ADMIN)).json()["results"]
    assert {run["kind"] for run in runs if not run["problem"]} == {"[good]"}
    # Those that were not run say why, and with a code.
    told = {run["kind"]: run["problem_told"] for run in runs if run["problem"]}
    assert {kind: one["code"] for kind, one in told.items()} == {
        "[passwords]": "statement.no-target",
        "[inner]": "statement.no-table",
        "[broken]": "statement.not-understood",
    }


async def test_what_was_done_is_told(site: Site) -> None:
    await site.arrive()
    await make_old(site, MAIL, "1 = 1", days=3)
    await clean(site, "mails", 2)
    await clean(site, "sendbox", 2)
    page = (await site.http.get("/admin/cleanup/runs?limit=1", headers=ADMIN)).json()
    assert [run["kind"] for run in page["results"]] == ["sendbox"]
    path = f"/admin/cleanup/runs?before_id={page['next_before_id']}"
    (run,) = (await site.http.get(path, headers=ADMIN)).json()["results"]
    assert (run["kind"], run["asked_by"], run["removed"], run["problem"]) == (
        "mails",
        "admin",
        1,
        "",
    )
