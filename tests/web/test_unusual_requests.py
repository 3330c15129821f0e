"""What existing clients send besides the usual: bodies that only a browser would read, numbers for
texts, switches as texts, ids that name nothing. Each route's cases stand in one table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailbox_service.web.json_text import LARGEST_MENDED, mended
from tests.web.people import sign_up
from tests.web.site import ADMIN, LETTER, Site

pytestmark = pytest.mark.anyio

# A body as JavaScript's `JSON.parse` behind a UTF-8 decoder takes it, and the subject it says.
READ_LIKE_A_BROWSER = [
    (b'\xef\xbb\xbf{"subject": "marked"}', "marked"),
    (b'{"subject": "caf\xe9"}', "caf�"),
    (b'{"subject": "cut \\ud83d"}', "cut �"),
    (b'{"subject": "\\ude00 low"}', "� low"),
    (b'{"subject": "\\ud83d\\ude00"}', "\U0001f600"),
    (b'{"subject": "\\ud83d\\ud83d\\ude00"}', "�\U0001f600"),
    (b'{"subject": "\\\\ud83d \\ud83d"}', "\\ud83d �"),
    (b'{"subject": "first", "subject": "second"}', "second"),
]


@pytest.mark.parametrize(("head", "subject"), READ_LIKE_A_BROWSER)
async def test_a_body_is_read_as_a_browser_reads_it(site: Site, head: bytes, subject: str) -> None:
    ann = await site.open()
    rest = {"to_mail": "bob@far.example", "content": "Hello", "is_html": False}
    body = head.rstrip(b"}") + b", " + json.dumps(rest).encode()[1:]
    answer = await site.http.post("/api/send_mail", content=body, headers=ann.auth)
    assert answer.status_code == 200, answer.text
    page = await site.http.get("/api/sendbox?limit=1&offset=0", headers=ann.auth)
    assert json.loads(page.json()["results"][0]["raw"])["subject"] == subject


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"a": "\\ud83d\\ude00"}', b"{", b'{"a": "\\\\ud800"}']
)
def test_what_has_no_such_fault_is_not_mended(body: bytes) -> None:
    assert mended(body) is None


def test_what_is_too_large_for_words_is_not_mended() -> None:
    assert mended(b"\xff" * LARGEST_MENDED) is not None
    assert mended(b"\xff" * (LARGEST_MENDED + 1)) is None


# field, value, what the sent box shows of it (mailbox-api §10.1: no types are checked)
TYPES_OF_A_MAIL = [
    ("subject", 482913, "482913"),
    ("subject", 4.5, "4.5"),
    ("subject", True, "true"),
    ("content", 482913, "482913"),
    ("from_name", 7, "7"),
    ("from_name", None, ""),
    ("to_name", False, ""),
    ("to_name", 0, ""),
    ("is_html", "true", True),
    ("is_html", 1, True),
    ("is_html", 0.5, True),
    ("is_html", "", False),
    ("is_html", None, False),
]


@pytest.mark.parametrize(("field", "value", "shown"), TYPES_OF_A_MAIL)
async def test_a_mail_takes_numbers_for_texts(
    site: Site, field: str, value: object, shown: object
) -> None:
    ann = await site.open()
    usual = {"to_mail": "bob@far.example", "subject": "Hi", "content": "Hello", "is_html": False}
    for path, body, headers in (
        ("/api/send_mail", usual, ann.auth),
        ("/external/api/send_mail", {**usual, "token": ann.jwt}, {}),
        ("/admin/send_mail", {**usual, "from_mail": ann.address}, ADMIN),
    ):
        answer = await site.http.post(path, json={**body, field: value}, headers=headers)
        assert answer.status_code == 200, (path, answer.text)
        page = await site.http.get("/api/sendbox?limit=1&offset=0", headers=ann.auth)
        assert json.loads(page.json()["results"][0]["raw"])[field] == shown


@pytest.mark.parametrize("nothing", [0, False, None, ""])
async def test_what_javascript_takes_for_nothing_is_no_subject(site: Site, nothing: object) -> None:
    ann = await site.open()
    body = {"to_mail": "bob@far.example", "subject": nothing, "content": "Hello"}
    answer = await site.http.post("/api/send_mail", json=body, headers=ann.auth)
    assert (answer.status_code, answer.text) == (400, "Failed to send mail Subject is empty")


# An entry of the send block list, a recipient, and whether it is refused: letter by letter.
BLOCKED = [
    ("BLK", "xBLKx@far.example", True),
    ("blk", "xBLKx@far.example", True),
    ("BLK", "xblkx@far.example", False),
    ("Bob@Far.Example", "Bob@Far.Example", True),
    ("Bob@Far.Example", "Bob <Bob@Far.Example>", True),
    ("@far.", "bob@FAR.example", True),
    ("", "bob@far.example", False),
]


@pytest.mark.parametrize(("entry", "to", "refused"), BLOCKED)
async def test_the_send_block_list(site: Site, entry: str, to: str, refused: bool) -> None:
    lists = {"blockList": [], "sendBlockList": [entry], "verifiedAddressList": []}
    await site.http.post("/admin/account_settings", json=lists, headers=ADMIN)
    ann = await site.open()
    body = {"to_mail": to, "subject": "", "content": "Hello"}
    answer = await site.http.post("/api/send_mail", json=body, headers=ann.auth)
    words = "Address is blocked" if refused else "Subject is empty"
    assert (answer.status_code, answer.text) == (400, f"Failed to send mail {words}")


# `enablePrefix` is a matter of truth, `enableRandomSubdomain` is `true` or the text of it.
SWITCHES: list[tuple[dict[str, Any], int, str]] = [
    ({"enablePrefix": True}, 200, "tmpbob@inbox.test"),
    ({"enablePrefix": "true"}, 200, "tmpbob@inbox.test"),
    ({"enablePrefix": 1}, 200, "tmpbob@inbox.test"),
    ({"enablePrefix": 0}, 200, "bob@inbox.test"),
    ({"enablePrefix": ""}, 200, "bob@inbox.test"),
    ({"enablePrefix": None}, 200, "bob@inbox.test"),
    ({"enableRandomSubdomain": 1}, 200, "bob@inbox.test"),
    ({"enableRandomSubdomain": 0}, 200, "bob@inbox.test"),
    ({"enableRandomSubdomain": "false"}, 200, "bob@inbox.test"),
    ({"enableRandomSubdomain": "TRUE"}, 200, "bob@inbox.test"),
    ({"enableRandomSubdomain": "true"}, 400, "Random subdomain is not enabled for this domain"),
    ({"enableRandomSubdomain": True}, 400, "Random subdomain is not enabled for this domain"),
]


@pytest.mark.parametrize(("switch", "status", "found"), SWITCHES)
async def test_switches_of_a_new_address(
    site_with: Any, switch: dict[str, Any], status: int, found: str
) -> None:
    async with site_with(prefix="TMP") as site:
        body = {"name": "bob", **switch}
        answer = await site.http.post("/admin/new_address", json=body, headers=ADMIN)
        assert (answer.status_code, found in answer.text) == (status, True), answer.text
        if "enablePrefix" not in switch and status == 200:
            answer = await site.http.post("/api/new_address", json=body)
            assert answer.json()["address"] == "tmp" + found


@pytest.mark.parametrize(
    ("sent", "balance"), [(7, 7), ("8", 8), (9.5, 9), (None, 0), ("", 0), (-1, -1), (0, 0)]
)
async def test_the_balance_of_an_allowance(site: Site, sent: object, balance: int) -> None:
    ann = await site.open()
    await site.http.get("/api/settings", headers=ann.auth)
    page = "/admin/address_sender?limit=1&offset=0"
    row = (await site.http.get(page, headers=ADMIN)).json()["results"][0]
    change = {"address": ann.address, "address_id": row["id"], "balance": sent, "enabled": "yes"}
    answer = await site.http.post("/admin/address_sender", json=change, headers=ADMIN)
    assert answer.json() == {"success": True}
    row = (await site.http.get(page, headers=ADMIN)).json()["results"][0]
    assert (row["balance"], row["enabled"]) == (balance, 1)


# Every route that names a row in its body; some clients write all numbers with a fraction.
@pytest.mark.parametrize("wanted", ["%d", "%d.0", "%de0", '"%d"'])
async def test_an_id_in_a_body_is_a_number_in_any_spelling(site: Site, wanted: str) -> None:
    person, box = await sign_up(site), await site.open("ann")
    await site.http.get("/api/settings", headers=box.auth)
    page = await site.http.get("/admin/address_sender?limit=1&offset=0", headers=ADMIN)
    (row,) = page.json()["results"]
    address, allowance, account = (wanted % one for one in (box.address_id, row["id"], person.id))
    listed = "/user_api/bind_address"
    for path, body, headers in (
        ("/admin/address_sender", f'{{"address_id": {allowance}, "balance": 1}}', ADMIN),
        ("/admin/user_roles", f'{{"user_id": {account}, "role_text": ""}}', ADMIN),
        (
            "/admin/users/bind_address",
            f'{{"user_id": {account}, "address_id": {address}}}',
            ADMIN,
        ),
        ("/user_api/unbind_address", f'{{"address_id": {address}}}', person.auth),
    ):
        answer = await site.http.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.text) == (200, '{"success":true}'), path
        held = (await site.http.get(listed, headers=person.auth)).json()["count"]
        assert held == int(path == "/admin/users/bind_address")


@pytest.mark.parametrize("path_id", ["999", "x", "-1", "1.5", "9" * 30])
async def test_a_password_of_an_id_that_names_nothing(site: Site, path_id: str) -> None:
    answer = await site.http.post(
        f"/admin/address/{path_id}/reset_password", json={"password": "a" * 64}, headers=ADMIN
    )
    assert answer.json() == {"success": True}


async def test_a_seeded_mail_is_kept_as_it_was_sent(site: Site) -> None:
    ann = await site.open()
    for raw, message_id in (
        ("Subject: bare\r\n\r\nHello\r\n", "<given@far.example>"),
        (LETTER.decode(), "<another than its header's@far.example>"),
        ("no header at all", "plain text"),
    ):
        seed = {"address": ann.address, "raw": raw, "message_id": message_id, "source": "A@B.test"}
        answer = await site.http.post("/admin/test/seed_mail", json=seed, headers=ADMIN)
        assert answer.json() == {"success": True}
        page = await site.http.get("/api/mails?limit=1&offset=0", headers=ann.auth)
        row = page.json()["results"][0]
        assert (row["raw"], row["message_id"], row["source"]) == (raw, message_id, "A@B.test")
        one = await site.http.get(f"/api/mail/{row['id']}", headers=ann.auth)
        assert one.json() == row


FOUND = {"type": "auth_link", "result": "https://far.example/in", "result_text": "Go in"}


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (FOUND, FOUND),
        (json.dumps(FOUND), FOUND),
        ({"type": "auth_code", "result": "77"}, {"type": "auth_code", "result": "77"}),
        ("no JSON", None),
        ({"type": "none", "result": "x"}, None),
        ({"type": "auth_code", "result": ""}, None),
        ({"type": "something else", "result": "x"}, None),
    ],
)
async def test_the_answer_of_a_model(
    site: Site, answer: object, kept: dict[str, str] | None
) -> None:
    ann = await site.open()
    arrival = {
        "from": "s@far.example",
        "to": ann.address,
        "raw": "Subject: x\r\n\r\nHello\r\n",
        "ai_extract_result": answer,
    }
    told = await site.http.post("/admin/test/receive_mail", json=arrival, headers=ADMIN)
    assert told.json() == {"success": True, "replyCalled": False, "forwardedTo": []}
    page = await site.http.get("/api/mails?limit=1&offset=0", headers=ann.auth)
    metadata = page.json()["results"][0]["metadata"]
    if kept is None:
        assert metadata is None
    else:
        assert json.loads(metadata)["ai_extract"] == {"result_text": "", **kept}


async def test_the_source_of_a_mail_is_the_sender_as_it_was_written(site: Site) -> None:
    """A prefix of an automatic reply is compared with it, letter by letter (§9.14)."""
    ann = await site.open()
    reply = {"enabled": True, "subject": "Away", "message": "Soon", "source_prefix": "John.Doe"}
    await site.http.post("/api/auto_reply", json={"auto_reply": reply}, headers=ann.auth)
    for sender, answered in (("John.Doe@Far.Example", True), ("john.doe@far.example", False)):
        arrival = {"from": sender, "to": ann.address, "raw": LETTER.decode()}
        told = await site.http.post("/admin/test/receive_mail", json=arrival, headers=ADMIN)
        assert told.json()["replyCalled"] is answered
        page = await site.http.get("/api/mails?limit=1&offset=0", headers=ann.auth)
        source = page.json()["results"][0]["source"]
        assert source == sender.replace("Far.Example", "far.example")


async def test_rows_show_an_address_as_it_was_opened(site_with: Any) -> None:
    """§9, step 1: names with capitals are found in any spelling, and keep their own."""
    async with site_with(address_regex="[^a-zA-Z0-9]") as site:
        ann = await site.open("AnnLee")
        assert ann.address == "AnnLee@inbox.test"
        again = await site.http.post(
            "/api/new_address", json={"name": "annlee", "domain": "inbox.test"}
        )
        assert again.text == "Failed to create address: Address already exists"
        await site.arrive("annlee@inbox.test")
        await site.arrive("nobody@inbox.test")
        mail = {"to_mail": "bob@far.example", "subject": "Hi", "content": "Hello"}
        sent = await site.http.post("/api/send_mail", json=mail, headers=ann.auth)
        assert sent.status_code == 200

        async def shown(path: str, headers: dict[str, str]) -> list[str]:
            answer = (await site.http.get(path, headers=headers)).json()
            return [row["address"] for row in answer.get("results", [answer])]

        page = "limit=10&offset=0"
        for path in ("mails", "parsed_mails", "sendbox"):
            assert await shown(f"/api/{path}?{page}", ann.auth) == ["AnnLee@inbox.test"], path
        for path in ("mail", "parsed_mail"):
            assert await shown(f"/api/{path}/1", ann.auth) == ["AnnLee@inbox.test"], path
        both = ["nobody@inbox.test", "AnnLee@inbox.test"]
        assert await shown(f"/admin/mails?{page}", ADMIN) == both
        assert await shown("/admin/mails/1", ADMIN) == ["AnnLee@inbox.test"]
        assert await shown(f"/admin/sendbox?{page}", ADMIN) == ["AnnLee@inbox.test"]
        for spelling in ("AnnLee", "annlee", "ANNLEE"):
            found = await shown(f"/admin/mails?{page}&address={spelling}@inbox.test", ADMIN)
            assert found == ["AnnLee@inbox.test"], spelling
