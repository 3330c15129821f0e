"""A whole mailbox as one file, for its owner alone; all addresses as one, for administrators."""

from __future__ import annotations

import base64
import csv
import io
import json
import mailbox
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.web.admin.address_export import cell
from mailbox_service.web.slow_answers import whole
from mailbox_service.web.streams import Streams
from tests.web.site import ADMIN, LETTER, Site

pytestmark = pytest.mark.anyio


async def stored(site: Site, *raw: bytes) -> tuple[dict[str, str], list[bytes]]:
    """Let mails arrive; the owner, and what the store holds of each."""
    auth = (await site.open()).auth
    ids = [await site.arrive(raw=one) for one in raw]
    found = [await site.http.get(f"/api/mails/{one}/raw", headers=auth) for one in ids]
    return auth, [answer.content for answer in found]


@pytest.mark.parametrize(
    ("form", "media_type", "name"),
    [
        ("mbox", "application/mbox", "ann@inbox.test.mbox"),
        ("eml", "application/zip", "ann@inbox.test.zip"),
        ("jsonl", "application/x-ndjson", "ann@inbox.test.jsonl"),
    ],
)
async def test_each_form_holds_every_mail(
    site: Site, tmp_path: Path, form: str, media_type: str, name: str
) -> None:
    letters = (LETTER, LETTER + b"\xff\r\n", b"Subject: x\r\n\r\nFrom me\r\n")
    owner, raw = await stored(site, *letters)
    answer = await site.http.get(f"/api/mails/export?format={form}", headers=owner)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert f'filename="{name}"' in answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert contents_of(answer.content, form, tmp_path) == raw


def contents_of(body: bytes, form: str, folder: Path) -> list[bytes]:
    if form == "eml":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return [archive.read(entry) for entry in archive.namelist()]
    if form == "jsonl":
        rows = [json.loads(line) for line in body.splitlines()]
        return [
            base64.b64decode(row["raw_base64"]) if "raw_base64" in row else row["raw"].encode()
            for row in rows
        ]
    (folder / "box").write_bytes(body)
    box = mailbox.mbox(folder / "box")
    found = [
        box.get_bytes(key).replace(b"\n>From ", b"\nFrom ").replace(b"\n", b"\r\n")
        for key in box.iterkeys()
    ]
    box.close()
    return found


async def test_an_empty_mailbox_is_an_empty_file(site: Site) -> None:
    auth = (await site.open()).auth
    assert (await site.http.get("/api/mails/export", headers=auth)).content == b""
    zipped = await site.http.get("/api/mails/export?format=eml", headers=auth)
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert archive.namelist() == []


async def test_mail_of_others_is_not_in_it(site: Site) -> None:
    await stored(site, LETTER)
    bob = await site.open("bob")
    assert (await site.http.get("/api/mails/export", headers=bob.auth)).content == b""
    assert (await site.http.get("/api/mails/export")).status_code == 401


async def test_the_list_of_addresses_is_a_file_for_administrators(site: Site) -> None:
    """mailbox-api §15, 17: as CSV and as JSON lines."""
    names = ["ann", "bob", "cem"]
    opened = [await site.open(name) for name in names]
    await site.arrive()
    answer = await site.http.get("/admin/addresses/export", headers=ADMIN)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "addresses.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["name"] for row in rows] == [one.address for one in opened]
    assert [int(row["id"]) for row in rows] == [one.address_id for one in opened]
    assert [row["mail_count"] for row in rows] == ["1", "0", "0"]
    assert {row["expires_at"] for row in rows} == {""}
    answer = await site.http.get("/admin/addresses/export?format=jsonl", headers=ADMIN)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    listed = await site.http.get(
        "/admin/address?limit=100&offset=0&sort_order=ascend", headers=ADMIN
    )
    assert lines == listed.json()["results"]
    answer = await site.http.get("/admin/addresses/export?format=xml", headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, "format is one of csv, jsonl")
    for headers in ({}, opened[0].auth):
        answer = await site.http.get("/admin/addresses/export", headers=headers)
        assert answer.status_code == 401


async def test_a_list_of_many_addresses_is_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailbox_service.services.registering.BATCH", 2)
    opened = [await site.open(f"n{number}") for number in range(5)]
    answer = await site.http.get("/admin/addresses/export", headers=ADMIN)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["name"] for row in rows] == [one.address for one in opened]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_name_is_a_formula_in_a_spreadsheet(begin: str) -> None:
    assert cell(f"{begin}cmd") == f"'{begin}cmd"
    assert (cell("ann@x.test"), cell(None), cell(7)) == ("ann@x.test", "", "7")


async def test_another_form_is_refused(site: Site) -> None:
    auth = (await site.open()).auth
    answer = await site.http.get("/api/mails/export?format=pst", headers=auth)
    assert (answer.status_code, answer.text) == (400, "format is one of mbox, eml, jsonl")


async def test_a_file_that_a_stop_cuts_off_is_not_passed_off_as_whole() -> None:
    """The body ends in trouble, so the connection ends without the end of the body."""
    streams = Streams()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        streams.close()
        yield b"two"

    file = whole(streams, pieces())
    assert await anext(file) == b"one"
    with pytest.raises(TemporaryFailure):
        await anext(file)
