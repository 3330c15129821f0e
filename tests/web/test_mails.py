"""Reading a mailbox: the contract's rows, our light rows, marks, waiting, downloads."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from mailbox_service.storage.database import Transaction
from tests.letters import letter_with_files
from tests.web.site import ADMIN, LETTER, Site, until

pytestmark = pytest.mark.anyio

ROW = {"id", "message_id", "source", "address", "raw", "metadata", "created_at"}
PARSED = (ROW - {"raw"}) | {"to", "sender", "subject", "text", "html", "attachments"}
LIGHT = {
    "id", "address", "source", "from_name", "from_address", "to", "subject", "preview",
    "created_at", "size", "message_id", "seen", "flagged", "answered", "attachment_count",
    "code", "codes", "code_confidences", "link", "links", "verdicts",
}  # fmt: skip
OPENED = LIGHT | {
    "text", "html", "remote_count", "headers", "attachments", "reply_to", "cc", "in_reply_to",
    "references",
}  # fmt: skip


async def test_a_list_has_the_rows_of_the_contract(site: Site) -> None:
    ann = await site.open()
    ids = [await site.arrive(raw=LETTER.replace(b"one@", b"%d@" % n)) for n in range(3)]
    answer = await site.http.get("/api/mails?limit=2&offset=0", headers=ann.auth)
    page = answer.json()
    assert set(page) == {"results", "count"}
    assert page["count"] == 3
    assert [row["id"] for row in page["results"]] == [ids[2], ids[1]]
    row = page["results"][0]
    assert set(row) == ROW
    assert row["message_id"] == "<2@ferry.example>"
    assert row["source"] == "a@ferry.example"
    assert row["address"] == ann.address
    assert row["raw"].startswith("Received: ")
    assert row["raw"].endswith(LETTER.replace(b"one@", b"2@").decode())
    assert row["metadata"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["created_at"])
    second = (await site.http.get("/api/mails?limit=2&offset=2", headers=ann.auth)).json()
    assert [row["id"] for row in second["results"]] == [ids[0]]
    assert second["count"] == 0
    single = await site.http.get(f"/api/mail/{ids[2]}", headers=ann.auth)
    assert single.json() == row


@pytest.mark.parametrize("mail_id", ["999", "0", "x", "1.5", "-1", "9" * 40, "1e1", "%31%30"])
async def test_a_mail_that_is_not_there_is_null(site: Site, mail_id: str) -> None:
    ann = await site.open()
    await site.arrive()
    for path in ("/api/mail/", "/api/parsed_mail/", "/api/inbox/", "/api/sent/"):
        answer = await site.http.get(path + mail_id, headers=ann.auth)
        assert (answer.status_code, answer.text) == (200, "null"), path
    answer = await site.http.get(f"/admin/mails/{mail_id}", headers=ADMIN)
    assert (answer.status_code, answer.text) == (200, "null")
    for path in ("/api/mails/", "/api/sendbox/"):
        answer = await site.http.delete(path + mail_id, headers=ann.auth)
        assert answer.json() == {"success": True}
    for path in (
        f"/admin/mails/{mail_id}",
        f"/admin/sendbox/{mail_id}",
        f"/admin/address_sender/{mail_id}",
        f"/admin/delete_address/{'999' if mail_id == '%31%30' else mail_id}",
        f"/admin/clear_inbox/{mail_id}",
        f"/admin/clear_sent_items/{mail_id}",
    ):
        answer = await site.http.delete(path, headers=ADMIN)
        assert answer.json() == {"success": True}, path


async def test_octets_that_are_no_text_are_replaced_in_json_and_kept_in_the_download(
    site: Site,
) -> None:
    ann = await site.open()
    raw = LETTER + b"caf\xe9 \x00\xff\xfe\r\n"
    mail_id = await site.arrive(raw=raw)
    row = (await site.http.get(f"/api/mail/{mail_id}", headers=ann.auth)).json()
    assert "caf\ufffd \x00\ufffd\ufffd" in row["raw"]
    answer = await site.http.get(f"/api/mails/{mail_id}/raw", headers=ann.auth)
    assert answer.content.endswith(raw)
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"].startswith("attachment;")


async def test_a_mail_taken_apart_has_the_keys_of_the_contract(site: Site) -> None:
    ann = await site.open()
    mail_id = await site.arrive(raw=letter_with_files(), sender="bounce@far.example")
    listed = await site.http.get("/api/parsed_mails?limit=20&offset=0", headers=ann.auth)
    (row,) = listed.json()["results"]
    assert set(row) == PARSED
    assert row["sender"] == "Zoë <zoe@far.example>"
    assert row["subject"] == "Büro"
    assert row["text"].strip() == "Grüße"
    assert "<p>Grüße" in row["html"]
    assert row["to"] == row["address"] == ann.address
    assert row["source"] == "bounce@far.example"
    assert [set(part) for part in row["attachments"]] == [
        {"filename", "mimeType", "disposition", "size"}
    ] * 2
    assert row["attachments"][0]["size"] == 3
    assert row["attachments"][0]["mimeType"] == "application/pdf"
    single = await site.http.get(f"/api/parsed_mail/{mail_id}", headers=ann.auth)
    assert single.json() == row


async def test_a_brief_page_of_twenty_mails_is_eight_kilobytes_at_most(site: Site) -> None:
    ann = await site.open()
    words = "A line of words that goes on and on. " * 20
    for number in range(20):
        link = f"https://shop.example/confirm?order={number}" if number % 4 == 0 else ""
        raw = (
            f"From: The Ferry Company <orders@ferry.example>\r\nTo: ann@inbox.test\r\n"
            f"Subject: Your order {number} is on its way to you\r\n"
            f"Message-ID: <{number}.1795262400@mailer.ferry.example>\r\n\r\n"
            f"{words}\r\nYour code is {480000 + number}\r\n{link}\r\n"
        )
        await site.arrive(raw=raw.encode())
    answer = await site.http.get("/api/inbox/brief?limit=20", headers=ann.auth)
    page = answer.json()
    assert len(page["results"]) == 20
    assert len(answer.content) <= 8_000
    assert (page["count"], page["unread"]) == (20, 20)
    whole = (await site.http.get("/api/inbox?limit=20", headers=ann.auth)).json()["results"]
    for brief, light in zip(page["results"], whole, strict=True):
        assert light["preview"].startswith(brief["preview"])
        assert brief.get("code") == light["code"]
        kept = brief.keys() - {"preview", "link"}
        assert {key: brief[key] for key in kept} == {key: light[key] for key in kept}
        assert not any(light[key] for key in ("seen", "flagged", "answered") if key not in brief)


async def test_the_inbox_shows_light_rows(site: Site) -> None:
    ann = await site.open()
    ids = [await site.arrive() for _ in range(3)]
    page = (await site.http.get("/api/inbox?limit=2", headers=ann.auth)).json()
    assert set(page) == {"results", "count", "unread", "next_before_id"}
    assert [row["id"] for row in page["results"]] == [ids[2], ids[1]]
    assert (page["count"], page["unread"], page["next_before_id"]) == (3, 3, ids[1])
    row = page["results"][0]
    assert set(row) == LIGHT
    assert row["from_name"] == "Ferrybank"
    assert row["from_address"] == "no-reply@ferry.example"
    assert row["subject"] == "Your code"
    assert row["preview"].startswith("Your verification code is 482913")
    assert row["code"] == "482913"
    assert (row["codes"], row["code_confidences"]) == (["482913"], [0.87])
    assert (row["link"], row["links"]) == (None, [])
    assert row["verdicts"] is None  # nobody looked
    assert row["seen"] is row["flagged"] is row["answered"] is False
    older = await site.http.get(f"/api/inbox?before_id={ids[1]}", headers=ann.auth)
    assert [row["id"] for row in older.json()["results"]] == [ids[0]]
    assert older.json()["next_before_id"] is None
    newer = await site.http.get(f"/api/inbox?after_id={ids[0]}", headers=ann.auth)
    assert [row["id"] for row in newer.json()["results"]] == [ids[1], ids[2]]


async def test_opening_a_mail_shows_all_of_it_and_loads_nothing_from_the_web(site: Site) -> None:
    ann = await site.open()
    mail_id = await site.arrive(raw=letter_with_files())
    mail = (await site.http.get(f"/api/inbox/{mail_id}", headers=ann.auth)).json()
    assert set(mail) == OPENED
    assert mail["text"].strip() == "Grüße"
    assert mail["reply_to"] == "answers@far.example"
    assert mail["cc"] == "bob@far.example"
    assert mail["in_reply_to"] == "<before@far.example>"
    assert mail["references"] == "<first@far.example> <before@far.example>"
    assert {"name": "Message-ID", "value": "<files@far.example>"} in mail["headers"]
    assert [part["index"] for part in mail["attachments"]] == [0, 1]
    assert set(mail["attachments"][0]) == {
        "index", "filename", "mime_type", "size", "disposition", "content_id",
    }  # fmt: skip
    assert mail["remote_count"] == 1
    assert "track.example" not in mail["html"]
    shown = (await site.http.get(f"/api/inbox/{mail_id}?remote=1", headers=ann.auth)).json()
    assert "https://track.example/x.png" in shown["html"]


async def test_a_download_never_runs_on_our_origin(site: Site) -> None:
    """Hazard 35."""
    ann = await site.open()
    mail_id = await site.arrive(raw=letter_with_files())
    for path, kind, content in (
        (f"/api/mails/{mail_id}/attachments/0", "application/pdf", b"\x00\x01\xff"),
        (f"/api/mails/{mail_id}/attachments/1", "application/octet-stream", b"<script>"),
        (f"/api/mails/{mail_id}/raw", "message/rfc822", b"Received: "),
    ):
        answer = await site.http.get(path, headers=ann.auth)
        assert answer.content.startswith(content)
        assert answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox;")
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith("attachment; ")
        assert ".." not in disposition
        assert "/" not in disposition
    for path in ("attachments/2", "attachments/x", "attachments/-1"):
        answer = await site.http.get(f"/api/mails/{mail_id}/{path}", headers=ann.auth)
        assert answer.status_code == 404
    answer = await site.http.get("/api/mails/999/raw", headers=ann.auth)
    assert answer.status_code == 404


NAMES = [
    '"a.txt"', '"a\\"b.txt"', '"a\\r\\nX: y.txt"', '"../../etc/passwd"', '"C:\\\\boot.ini"',
    '""', '"' + "x" * 4000 + '.pdf"', '"ev\u202etxt.exe"', '"naïve ☃.pdf"', '"a;b=c.txt"',
    '"%00.html"', "=?utf-8?b?DQpYLUE6IDE=?=",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_no_file_name_breaks_the_header_of_a_download(site: Site, name: str) -> None:
    """Hazards 30 and 35: the name of a file is its sender's, the header is ours."""
    ann = await site.open()
    raw = (
        b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n"
        b"Content-Disposition: attachment; filename=" + name.encode() + b"\r\n\r\n<b>x</b>\r\n"
    )
    mail_id = await site.arrive(raw=raw)
    answer = await site.http.get(f"/api/mails/{mail_id}/attachments/0", headers=ann.auth)
    assert answer.status_code == 200
    disposition = answer.headers["content-disposition"]
    assert re.fullmatch(
        r"attachment; filename=\"[ !#-~]{1,200}\"; filename\*=UTF-8''[\w.~%!-]+", disposition
    )
    assert "x-a" not in answer.headers
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_marks_are_set_cleared_and_counted(site: Site) -> None:
    ann = await site.open()
    ids = [await site.arrive() for _ in range(3)]
    answer = await site.http.patch(
        f"/api/mails/{ids[0]}", json={"seen": True, "flagged": True}, headers=ann.auth
    )
    assert answer.json() == {"success": True}
    answer = await site.http.post(
        "/api/mails/mark", json={"ids": ids, "seen": True, "flagged": False}, headers=ann.auth
    )
    assert answer.json() == {"success": True, "changed": 3}
    page = (await site.http.get("/api/inbox", headers=ann.auth)).json()
    assert page["unread"] == 0
    assert [row["flagged"] for row in page["results"]] == [False] * 3
    await site.http.patch(f"/api/mails/{ids[1]}", json={"seen": False}, headers=ann.auth)
    unread = (await site.http.get("/api/inbox?unread=1", headers=ann.auth)).json()
    assert [row["id"] for row in unread["results"]] == [ids[1]]
    for body in (
        b"{",
        b"[]",
        b'{"seen": 1}',
        b'{"ids": "x"}',
        b'{"ids": ["x"]}',
        b'{"ids": [0]}',
        b'{"ids": [9223372036854775808]}',
    ):
        answer = await site.http.post("/api/mails/mark", content=body, headers=ann.auth)
        assert answer.status_code == 400, body
    many = {"ids": list(range(1001)), "seen": True}
    answer = await site.http.post("/api/mails/mark", json=many, headers=ann.auth)
    assert answer.status_code == 400


async def test_deleting_mails(site: Site) -> None:
    ann = await site.open()
    ids = [await site.arrive() for _ in range(3)]
    answer = await site.http.delete(f"/api/mails/{ids[1]}", headers=ann.auth)
    assert answer.json() == {"success": True}
    page = (await site.http.get("/api/mails?limit=20&offset=0", headers=ann.auth)).json()
    assert [row["id"] for row in page["results"]] == [ids[2], ids[0]]
    assert (await site.http.delete("/api/clear_inbox", headers=ann.auth)).json() == {
        "success": True
    }
    page = (await site.http.get("/api/mails?limit=20&offset=0", headers=ann.auth)).json()
    assert page == {"results": [], "count": 0}
    assert await site.arrive() > ids[2]


FOUND: list[tuple[str, list[int]]] = [
    ("q=482913", [0]),
    ("q=FERRYBANK", [0]),
    ("q=your+code", [0]),
    ("from=far.example", [1]),
    ("from=Zo%C3%AB", [1]),
    ("subject=b%C3%BCro", [1]),
    ("q=%25", []),
    ("q=_", []),
    ("q=%25ode", []),
    ("subject=Your_code", []),
    ("q=.*", []),
    ("q=%5C", []),
    ("q=%22%27%3B--", []),
    ("q=)+OR+1%3D1", []),
    ("q=*", []),
    ("q=NEAR(", []),
    ("q=%00", [0, 1]),
    ("q=(a%2B)%2B%24", []),
    ("q=&from=&subject=", [0, 1]),
    ("codes=1", [0]),
]


@pytest.mark.parametrize(("query", "found"), FOUND)
async def test_search_takes_every_character_as_itself(
    site: Site, query: str, found: list[int]
) -> None:
    """Hazard 46: `%`, `_`, quotes, expressions and operators are letters."""
    ann = await site.open()
    ids = [await site.arrive(), await site.arrive(raw=letter_with_files())]
    for path in ("/api/inbox?limit=20", "/api/mails?limit=20&offset=0"):
        answer = await site.http.get(f"{path}&{query}", headers=ann.auth)
        assert answer.status_code == 200, answer.text
        assert sorted(row["id"] for row in answer.json()["results"]) == [ids[n] for n in found]


@pytest.mark.parametrize(
    "path", ["/api/mails?limit=20&offset=0", "/api/parsed_mails?limit=20&offset=0", "/api/inbox"]
)
async def test_a_search_finds_mail_that_came_a_moment_ago(site: Site, path: str) -> None:
    """Also before the worker that reads new mail has been there."""
    ann = await site.open()
    mail_id = await site.arrive()
    separator = "&" if "?" in path else "?"
    for query in ("subject=code", "q=482913", "codes=1", "from=ferry"):
        answer = await site.http.get(f"{path}{separator}{query}", headers=ann.auth)
        assert [row["id"] for row in answer.json()["results"]] == [mail_id], query


async def test_mail_since_a_time_is_mail_that_came_then_or_later(site: Site) -> None:
    """mailbox-api §15, 12."""
    ann = await site.open()
    early, late = await site.arrive(), await site.arrive()
    moments = {early: 1_700_000_000_000_000, late: 1_700_000_000_000_000 + 3_600_000_000}
    for mail_id, moment in moments.items():

        async def unit(tx: Transaction, mail_id: int = mail_id, moment: int = moment) -> None:
            await tx.execute(
                "UPDATE messages SET received_at = :moment WHERE id = :id",
                {"moment": moment, "id": mail_id},
            )

        await site.parts.database.write(unit)
    wanted = {
        "2023-11-14": [late, early],
        "2023-11-14 22:13:20": [late, early],
        "2023-11-14T22:13:21Z": [late],
        "2023-11-15T00:13:20%2B01:00": [late],
        "1700003600": [late],
        "2023-11-14 23:13:21": [],
        "": [late, early],
    }
    for since, ids in wanted.items():
        for path in (
            "/api/mails?limit=20&offset=0",
            "/api/parsed_mails?limit=20&offset=0",
            "/api/inbox?limit=20",
        ):
            answer = await site.http.get(f"{path}&since={since}", headers=ann.auth)
            assert [row["id"] for row in answer.json()["results"]] == ids, (path, since)
            assert answer.json()["count"] == len(ids)
    for nonsense in ("yesterday", "2023-13-01", "x" * 100, "1e99"):
        answer = await site.http.get(f"/api/inbox?since={nonsense}", headers=ann.auth)
        assert (answer.status_code, answer.text) == (400, "since is not a time")


async def test_a_search_of_ten_kilobytes_is_refused_at_once(site: Site) -> None:
    """Hazard 46."""
    ann = await site.open()
    for key in ("q", "from", "subject"):
        answer = await site.http.get(f"/api/inbox?{key}={'x' * 10_240}", headers=ann.auth)
        assert (answer.status_code, answer.text) == (400, f"{key} is longer than 1000 characters")
    answer = await site.http.get(
        "/admin/address?limit=1&offset=0&query=" + "%25" * 1001, headers=ADMIN
    )
    assert answer.status_code == 400


async def test_waiting_ends_with_the_mail_that_fits(site: Site) -> None:
    ann = await site.open()
    last = await site.arrive()

    async def wait(query: str) -> Any:
        answer = await site.http.get(f"/api/mails/wait?{query}", headers=ann.auth, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["mail"]

    assert await wait(f"timeout=0&after_id={last}") is None
    found = await wait("timeout=0&after_id=0")
    assert found["id"] == last
    assert found["code"] == "482913"
    assert "482913" in found["text"]
    waiting = asyncio.ensure_future(wait(f"timeout=10&after_id={last}&from=far.example"))
    await site.arrive()
    wanted = await site.arrive(raw=letter_with_files())
    assert (await waiting)["id"] == wanted


@pytest.mark.parametrize("query", ["timeout=61", "timeout=-1", "timeout=x", "after_id=x"])
async def test_waiting_has_bounds(site: Site, query: str) -> None:
    ann = await site.open()
    answer = await site.http.get(f"/api/mails/wait?{query}", headers=ann.auth)
    assert answer.status_code == 400


async def test_one_mailbox_has_so_many_waiters_and_no_more(site: Site) -> None:
    """Hazard 39: connections that stay open are counted."""
    ann = await site.open()
    waiting = [
        asyncio.ensure_future(site.http.get("/api/mails/wait?timeout=60", headers=ann.auth))
        for _ in range(20)
    ]
    await until(lambda: site.app.state.streams.open == 20)
    answer = await site.http.get("/api/mails/wait?timeout=60", headers=ann.auth)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "15"
    site.app.state.streams.close()
    for ended in await asyncio.gather(*waiting):
        assert ended.json() == {"mail": None}
    assert site.app.state.streams.open == 0


async def test_a_mailbox_of_a_malformed_mail_is_still_listed(site: Site) -> None:
    ann = await site.open()
    for raw in (
        b"",
        b"\x00\xff\xfe",
        b"no header at all",
        b"Subject: =?x?q?=\r\n\r\n",
        b"\r\n" * 50,
    ):
        await site.arrive(raw=raw)
    for path in ("/api/mails", "/api/parsed_mails"):
        page = (await site.http.get(f"{path}?limit=20&offset=0", headers=ann.auth)).json()
        assert page["count"] == len(page["results"]) == 5
    assert (await site.http.get("/api/inbox", headers=ann.auth)).json()["count"] == 5
