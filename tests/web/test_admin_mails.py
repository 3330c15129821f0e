"""/admin: mail of anybody as the page shows it, received and sent."""

from __future__ import annotations

import pytest

from tests.letters import letter_with_files
from tests.web.site import ADMIN, LETTER, Site
from tests.web.test_mails import LIGHT, OPENED

pytestmark = pytest.mark.anyio


async def test_mail_is_listed_without_its_source(site: Site) -> None:
    ann = await site.open()
    mine = await site.arrive(ann.address)
    unknown = await site.arrive("nobody@inbox.test")

    async def ids(query: str = "") -> list[int]:
        answer = await site.http.get(f"/admin/inbox?limit=20&offset=0{query}", headers=ADMIN)
        assert answer.status_code == 200, answer.text
        assert answer.json()["count"] == len(answer.json()["results"])
        for row in answer.json()["results"]:
            assert set(row) == LIGHT
        return [row["id"] for row in answer.json()["results"]]

    assert await ids() == [unknown, mine]
    assert await ids("&address=ANN@inbox.test") == [mine]
    assert await ids("&address=ann") == []
    assert await ids("&unknown=1") == [unknown]
    wanted = LETTER.replace(b"Your code", b"A boat in spring")
    boat = await site.arrive(ann.address, wanted)
    while await site.parts.summarising.read_some():
        pass
    assert await ids("&q=no%20such%20words") == []
    assert await ids("&q=BOAT%20in") == [boat]
    assert await ids("&q=BOAT&unknown=1") == []
    assert await ids("&q=boat&address=nobody@inbox.test") == []
    await site.http.delete(f"/admin/mails/{boat}", headers=ADMIN)

    later = await site.http.get("/admin/inbox?limit=1&offset=1", headers=ADMIN)
    assert (later.json()["results"][0]["id"], later.json()["count"]) == (mine, 0)
    assert (await site.http.get("/admin/inbox", headers=ADMIN)).status_code == 400


async def test_a_mail_of_anybody_is_opened_as_its_owner_reads_it(site: Site) -> None:
    """Hazard 32: sanitised, and with nothing of the web unless it is asked for."""
    ann = await site.open()
    mail_id = await site.arrive(ann.address, raw=letter_with_files())
    mail = (await site.http.get(f"/admin/inbox/{mail_id}", headers=ADMIN)).json()
    assert set(mail) == OPENED
    assert mail["remote_count"] == 1
    assert "track.example" not in mail["html"]
    shown = (await site.http.get(f"/admin/inbox/{mail_id}?remote=1", headers=ADMIN)).json()
    assert "https://track.example/x.png" in shown["html"]
    # Its owner has not read it yet.
    (row,) = (await site.http.get("/api/inbox", headers=ann.auth)).json()["results"]
    assert row["seen"] is False
    for missing in ("999", "x"):
        assert (await site.http.get(f"/admin/inbox/{missing}", headers=ADMIN)).json() is None


async def test_files_of_anybodys_mail_never_run_on_our_origin(site: Site) -> None:
    """Hazard 35."""
    mail_id = await site.arrive(raw=letter_with_files())
    for path, kind, content in (
        ("attachments/0", "application/pdf", b"\x00\x01\xff"),
        ("attachments/1", "application/octet-stream", b"<script>"),
        ("raw", "message/rfc822", b"Received: "),
    ):
        answer = await site.http.get(f"/admin/mails/{mail_id}/{path}", headers=ADMIN)
        assert answer.content.startswith(content)
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-security-policy"].startswith("sandbox;")
        assert answer.headers["content-disposition"].startswith("attachment; ")
    for missing in (f"{mail_id}/attachments/2", f"{mail_id}/attachments/x", "999/raw"):
        answer = await site.http.get(f"/admin/mails/{missing}", headers=ADMIN)
        assert answer.status_code == 404


async def test_a_mail_that_anybody_sent_is_opened_with_what_became_of_it(site: Site) -> None:
    ann = await site.open()
    letter = {
        "to_mail": "bob@far.example", "subject": "Plan", "is_html": True,
        "content": "<p>Hello<script>hit()</script></p>",
        "attachments": [{"filename": "a.txt", "content": "QQ==", "type": "text/plain"}],
    }  # fmt: skip
    sent = await site.http.post("/api/send_mail", json=letter, headers=ann.auth)
    assert sent.status_code == 200, sent.text
    path = f"/admin/sent/{sent.json()['id']}"
    mail = (await site.http.get(path, headers=ADMIN)).json()
    assert (mail["subject"], mail["from_address"]) == ("Plan", ann.address)
    assert [one["address"] for one in mail["recipients"]] == ["bob@far.example"]
    assert "Hello" in mail["html"]
    assert "script" not in mail["html"]
    raw = await site.http.get(f"{path}/raw", headers=ADMIN)
    assert b"Subject: Plan" in raw.content
    file = await site.http.get(f"{path}/attachments/0", headers=ADMIN)
    assert file.content == b"A"
    assert (await site.http.get("/admin/sent/999", headers=ADMIN)).json() is None
    assert (await site.http.get("/admin/sent/999/raw", headers=ADMIN)).status_code == 404
