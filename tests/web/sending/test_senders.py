"""Allowed senders and recipients, domains, single senders (sending-api §8)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.nameserver import NameServer, serving
from tests.web.sending.conftest import LETTER, Api, serving_api

pytestmark = pytest.mark.anyio

ANN, BOB = "ann@inbox.test", "bob@inbox.test"


@pytest.mark.parametrize("name", ["allowed_senders", "email_address"])
async def test_allowed_senders_by_every_name(api: Api, name: str) -> None:
    data = await api.data("allowed_senders/add", {name: "Ann@Inbox.TEST"})
    assert (data["allowed_senders"], data["mode"], data["total"]) == ([ANN], "disabled", 1)
    assert data["senders"] == [
        {"id": 1, "email_address": ANN, "name": "", "reply_prompt": "", "verified": True}
    ]
    data = await api.data("allowed_senders/add", {name: ["else.example", ANN]})
    assert data["allowed_senders"] == [ANN, "else.example"]
    data = await api.data("allowed_senders/update", {name: [ANN], "mode": "whitelist"})
    assert (data["allowed_senders"], data["mode"]) == ([ANN], "whitelist")
    assert await api.data("allowed_senders/view") == data
    for _ in range(2):
        data = await api.data("allowed_senders/remove", {name: ANN})
        assert data["allowed_senders"] == []


async def test_a_record_of_the_list_is_changed_and_found(api: Api) -> None:
    await api.data("allowed_senders/add", {"allowed_senders": [ANN, "else.example"]})
    change = {"allowed_sender_id": "1", "name": "Ann", "reply_prompt": "yes",
              "email_address": BOB}  # fmt: skip
    data = await api.data("allowed_senders/update", change)
    assert data["senders"][0] == {"id": 1, "email_address": BOB, "name": "Ann",
                                  "reply_prompt": "yes", "verified": True}  # fmt: skip
    for fields, total in (
        ({"verified": "verified"}, 1),
        ({"verified": "unverified"}, 1),
        ({"sender_email": "else"}, 1),
        ({"limit": 1}, 2),
    ):
        shown = await api.data("allowed_senders/view", fields)
        assert (shown["total"], len(shown["allowed_senders"])) == (total, 2)
    gone = {"allowed_sender_id": 99, "name": "x"}
    assert await api.refused("allowed_senders/update", gone) == (400, "API_EXCEPTION", "")


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        ("allowed_senders/add", {}, "allowed_senders"),
        ("allowed_senders/add", {"allowed_senders": ["x y"]}, "allowed_senders"),
        ("allowed_senders/update", {"mode": "whitelist"}, "allowed_senders"),
        ("allowed_senders/update", {"allowed_senders": [], "mode": "maybe"}, "mode"),
        ("allowed_recipients/add", {}, "allowed_recipients"),
        ("allowed_recipients/update", {"allowed_recipients": []}, "enabled"),
        ("allowed_recipients/update", {"enabled": True}, "allowed_recipients"),
    ],
)
async def test_what_is_no_list_is_refused(
    api: Api, path: str, fields: dict[str, Any], field: str
) -> None:
    assert await api.refused(path, fields) == (400, "NON_VALIDATING_IN_PAYLOAD", field)


@pytest.mark.parametrize(
    ("mode", "entries", "passes"),
    [
        ("whitelist", [ANN], True),
        ("whitelist", ["inbox.test"], True),
        ("whitelist", [BOB], False),
        ("whitelist", [], False),
        ("blacklist", [ANN], False),
        ("blacklist", [BOB], True),
        ("disabled", [BOB], True),
    ],
)
async def test_the_list_is_kept(api: Api, mode: str, entries: list[str], passes: bool) -> None:
    await api.data("allowed_senders/update", {"allowed_senders": entries, "mode": mode})
    assert (await api.post("email/send", LETTER)).status_code == (200 if passes else 400)


async def test_allowed_recipients_hold_back_the_others(api: Api) -> None:
    listed = {"allowed_recipients": [BOB], "enabled": True}
    assert await api.data("allowed_recipients/update", listed) == {**listed, "total": 1}
    await api.send(to=[BOB, "eve@inbox.test"])
    await api.deliver()
    assert await api.received("eve@inbox.test") == []
    assert len(await api.received(BOB)) == 1
    got = await api.refused("email/send", {**LETTER, "to": ["eve@inbox.test"]})
    assert got == (400, "API_EXCEPTION", "")
    data = await api.data("allowed_recipients/add", {"allowed_recipients": "eve@inbox.test"})
    assert data["allowed_recipients"] == [BOB, "eve@inbox.test"]
    data = await api.data("allowed_recipients/remove", {"allowed_recipients": [BOB]})
    assert (data["allowed_recipients"], data["enabled"]) == (["eve@inbox.test"], True)
    assert await api.data("allowed_recipients/view") == data


# --- Domains -----------------------------------------------------------------------------------


async def test_a_domain_is_proved_by_dns_and_mail_from_it_is_signed(tmp_path: Path) -> None:
    async with (
        serving(NameServer()) as names,
        serving_api(tmp_path, name_servers=[names.address]) as api,
    ):
        fields = {"domain": "Sender.Example", "auto_verify": False,
                  "tracking_subdomain": "go", "returnpath_subdomain": "bounce"}  # fmt: skip
        (added,) = (await api.data("domain/add", fields))["domains"]
        domain, (tracker,) = added["domain"], added["trackers"]
        assert (domain["fulldomain"], domain["domain"], domain["suffix"]) == (
            "sender.example", "sender", "example")  # fmt: skip
        assert (tracker["fulldomain"], tracker["cname_verified"]) == ("go.sender.example", False)
        letter = {**LETTER, "sender": "ann@mail.sender.example"}
        assert (await api.refused("email/send", letter))[0] == 400
        selector = domain["dkim_selector"]
        record = domain["dkim_record"]
        parts = [record[at : at + 200] for at in range(0, len(record), 200)]
        names.records = {
            (f"{selector}._domainkey.sender.example", "TXT"): [
                " ".join(f'"{part}"' for part in parts)
            ],
            ("bounce.sender.example", "CNAME"): [f"{domain['rpath_value']}."],
            ("go.sender.example", "CNAME"): [f"{tracker['cname_value']}."],
            (domain["rpath_value"], "A"): ["192.0.2.1"],
            (domain["rpath_value"], "CNAME_TARGET"): ["x"],
            (tracker["cname_value"], "A"): ["192.0.2.1"],
        }
        (verified,) = (await api.data("domain/verify", {"domain": "sender.example"}))["domains"]
        assert verified["domain"]["dkim_verified"] is True, verified
        assert verified["domain"]["rpath_verified"] is True, verified
        assert verified["trackers"][0]["cname_verified"] is True
        await api.data("email/send", letter)
        signing = api.site.parts.delivering.attempting._signing
        keys = await signing._keys_of("mail.sender.example")
        assert [(one.domain, one.selector) for one in keys.signers] == [
            ("sender.example", selector)
        ]
        sub = await api.data("subaccount/add", {"fullname": "Sub"})
        taken = {"domain": "sender.example", "subaccount_id": sub["id"]}
        assert await api.refused("domain/add", taken) == (400, "API_EXCEPTION", "")
        assert (await api.data("domain/remove", {"domain": "sender.example"}))["domains"] == []
        assert (await api.refused("email/send", letter))[0] == 400


async def test_a_cname_to_our_host_proves_a_domain_too(tmp_path: Path) -> None:
    async with (
        serving(NameServer()) as names,
        serving_api(tmp_path, name_servers=[names.address]) as api,
    ):
        (added,) = (await api.data("domain/add", {"domain": "sender.example"}))["domains"]
        domain = added["domain"]
        # It was asked for, and was not there: what is published now is seen all the same.
        assert domain["dkim_verified"] is False
        place = f"{domain['dkim_selector']}._domainkey.sender.example"
        names.records = {
            (place, "CNAME"): [f"{domain['dkim_value']}."],
            (domain["dkim_value"], "A"): ["192.0.2.1"],
        }
        (verified,) = (await api.data("domain/verify", {"domain": "sender.example"}))["domains"]
        assert verified["domain"]["dkim_verified"] is True, verified


async def test_a_domain_of_ours_is_verified_at_once(api: Api) -> None:
    (added,) = (await api.data("domain/add", {"domain": "second.test"}))["domains"]
    assert added["domain"]["dkim_verified"] is True
    assert added["domain"]["setup_link"] == ""


async def test_names_below_a_domain_are_changed(tmp_path: Path) -> None:
    async with (
        serving(NameServer()) as names,
        serving_api(tmp_path, name_servers=[names.address]) as api,
    ):
        fields = {"domain": "sender.example", "returnpath_subdomain": "old"}
        await api.data("domain/add", fields)
        change = {"domain": "sender.example", "old_subdomain": "old", "new_subdomain": "new"}
        (shown,) = (await api.data("domain/returnpath", change))["domains"]
        assert shown["domain"]["rpath_selector"] == "new"
        assert await api.refused("domain/returnpath", change) == (400, "API_EXCEPTION", "")
        change = {"domain": "sender.example", "old_subdomain": "link", "new_subdomain": "go"}
        (shown,) = (await api.data("domain/tracking", change))["domains"]
        assert shown["trackers"][0]["subdomain"] == "go"
        access = {"domain": "sender.example", "subaccounts": ["abc"], "future_subaccounts": True}
        assert await api.data("domain/subaccount_access", access) == access
        (seen,) = (await api.data("domain/view", {"domain": "sender.example"}))["domains"]
        assert seen["from_master"] is False
        assert seen["subaccount_access"] == {"subaccounts": ["abc"], "future_subaccounts": True}
        assert (await api.data("domain/view", {"domain": "none.example"}))["domains"] == []


@pytest.mark.parametrize(
    ("path", "fields", "code", "field"),
    [
        ("domain/add", {}, "NON_VALIDATING_IN_PAYLOAD", "domain"),
        ("domain/add", {"domain": "x y"}, "NON_VALIDATING_IN_PAYLOAD", "domain"),
        ("domain/add", {"domain": "a.test", "tracking_subdomain": "a b"},
         "NON_VALIDATING_IN_PAYLOAD", "tracking_subdomain"),
        ("domain/verify", {"domain": "none.example"}, "API_EXCEPTION", ""),
        ("domain/remove", {"domain": "none.example"}, "API_EXCEPTION", ""),
    ],
)  # fmt: skip
async def test_what_is_no_domain_is_refused(
    api: Api, path: str, fields: dict[str, Any], code: str, field: str
) -> None:
    assert await api.refused(path, fields) == (400, code, field)


# --- Single senders ----------------------------------------------------------------------------


async def test_a_single_sender_is_proved_by_a_link_in_a_mail(api: Api) -> None:
    address = "zoe@second.test"
    sub = await api.data("subaccount/add", {"fullname": "Sub"})
    account = {"subaccount_id": sub["id"]}
    letter = {**LETTER, "sender": address, **account}
    assert (await api.refused("email/send", letter))[0] == 400
    fields = {"email_address": address, "message": "Hello Zoe", **account}
    for _ in range(2):  # the second comes too soon for another mail
        assert await api.data("single_sender_emails/add", fields) == "ok"
    answer = await api.post("single_sender_emails/view", account)
    told = answer.json()
    assert told["data"]["request_id"] == told["request_id"]
    assert told["data"]["senders"] == [{"email_address": address, "verified": False}]
    await api.deliver()
    (raw,) = await api.received(address)
    (path,) = re.findall(rb"/confirm-sender/[\w-]+", raw.replace(b"=\r\n", b""))
    asked = await api.site.http.get(path.decode())
    assert "<form" in asked.text
    assert (await api.refused("email/send", letter))[0] == 400, "looking confirms nothing"
    confirmed = await api.site.http.post(path.decode())
    assert confirmed.status_code == 200
    assert (await api.data("email/send", letter))["succeeded"] == 1
    assert (await api.site.http.post(path.decode() + "x")).status_code == 404
    assert await api.data("single_sender_emails/remove", {"email_address": address,
                                                          **account}) == "OK"  # fmt: skip
    gone = await api.refused("single_sender_emails/remove", {"email_address": address, **account})
    assert gone == (400, "API_EXCEPTION", "")
    assert (await api.refused("email/send", letter))[0] == 400
