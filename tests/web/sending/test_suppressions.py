"""Suppressions by every name, and what they do to mail (sending-api §5; acceptance 8 and 10)."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.delivery import Reply
from mailbox_service.services.clock import now_micros
from mailbox_service.services.sending_api.outcomes import is_hard
from mailbox_service.storage import suppressions
from mailbox_service.storage.database import Transaction
from tests.web.sending.conftest import LETTER, Api

pytestmark = pytest.mark.anyio

EVE = "eve@inbox.test"


@pytest.mark.parametrize(
    ("fields", "targets"),
    [
        ({"email_address": EVE, "block_description": "why"}, [EVE]),
        ({"email": EVE, "description": "why"}, [EVE]),
        ({"email_address": "Eve@Inbox.TEST", "block_description": "why"}, [EVE]),
        ({"email_address": "@inbox.test"}, ["inbox.test"]),
        ({"email_address": "inbox.test"}, ["inbox.test"]),
        ({"email_address": EVE, "type": "EMAIL"}, [EVE]),
        ({"email_address": EVE, "type": "DOMAIN"}, ["inbox.test"]),
        ({"email_address": EVE, "type": "ALL"}, [EVE, "inbox.test"]),
        ({"email_address": [EVE, "@far.example"]}, [EVE, "far.example"]),
    ],
)
async def test_adding_by_every_name(api: Api, fields: dict[str, Any], targets: list[str]) -> None:
    data = await api.data("suppression/add", fields)
    assert (data["added"], data["email_address"]) == (True, targets[0])
    assert data["block_description"] == fields.get("block_description",
                                                   fields.get("description", ""))  # fmt: skip
    assert data["results"] == [{"email_address": one, "added": True} for one in targets]
    assert (data["failed"], data["succeeded"]) == ([], True)
    again = await api.data("suppression/add", fields)
    assert again["added"] is True
    found = await api.data("suppression/view")
    assert sorted(one["email_address"] for one in found["results"]) == sorted(targets)


async def test_of_a_list_what_is_no_address_is_told(api: Api) -> None:
    data = await api.data("suppression/add", {"email_address": ["nobody", EVE]})
    assert (data["added"], data["email_address"]) == (True, EVE)
    assert data["results"] == [{"email_address": EVE, "added": True}]
    (failed,) = data["failed"]
    assert failed["email_address"] == "nobody"
    assert failed["error"]
    assert data["succeeded"] is False


async def test_a_wrong_word_is_named_by_its_own_field(api: Api) -> None:
    wrong = "NON_VALIDATING_IN_PAYLOAD"
    fields = {"email_address": EVE, "reasons": ["mood"]}
    assert await api.refused("suppression/remove", fields) == (400, wrong, "reasons")
    fields = {"email_address": EVE, "type": "MOOD"}
    assert await api.refused("suppression/add", fields) == (400, wrong, "type")


@pytest.mark.parametrize(
    "wrong",
    [{}, {"email_address": "x y@z"}, {"email_address": []}, {"email_address": ["x y", "z"]}],
)
async def test_what_is_no_address_is_refused(api: Api, wrong: dict[str, Any]) -> None:
    got = await api.refused("suppression/add", wrong)
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "email_address")


@pytest.mark.parametrize(
    ("fields", "removed"),
    [
        ({"email_address": EVE, "reasons": ["manual", "spam"]},
         [("manual", True), ("spam", False)]),
        ({"email_address": EVE, "reasons": "manual"}, [("manual", True)]),
        ({"email_address": EVE}, [("manual", True)]),
        ({"email": EVE}, [("manual", True)]),
    ],
)  # fmt: skip
async def test_removing_by_every_name(
    api: Api, fields: dict[str, Any], removed: list[tuple[str, bool]]
) -> None:
    await api.data("suppression/add", {"email_address": EVE})
    data = await api.data("suppression/remove", fields)
    assert data["suppressions"] == [
        {"email_address": EVE, "reason": reason, "removed": gone} for reason, gone in removed
    ]
    assert (await api.data("suppression/view"))["results"] == []
    assert await api.events() == [("resubscribed", EVE)]


async def test_a_domain_is_removed_by_its_name(api: Api) -> None:
    await api.data("suppression/add", {"email_address": "@far.example"})
    data = await api.data("suppression/remove", {"domain": "far.example"})
    assert data["suppressions"][0]["removed"] is True


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({}, 3),
        ({"email_address": EVE}, 1),
        ({"recipient": EVE}, 1),
        ({"recipients": [EVE]}, 1),
        ({"wildcard": "inbox"}, 2),
        ({"wildcard": "*inbox*"}, 2),
        ({"email_address": "eve", "fuzzy": True}, 1),
        ({"email_address": "evve@inbox.test", "fuzzy": True}, 1),
        ({"recipient": "eve@inbxo.tets", "fuzzy": True}, 1),
        ({"wildcard": "inbxo", "fuzzy": "true"}, 2),
        ({"fuzzy": "far.exmaple"}, 1),
        ({"fuzzy": "inbxo", "limit": 1}, 1),
        ({"fuzzy": "inbxo", "suppression_type": "spam"}, 0),
        ({"reason": "becuase", "fuzzy": True}, 1),
        ({"email_address": EVE, "fuzzy": "false"}, 1),
        ({"email_address": "evve@inbox.test", "fuzzy": False}, 0),
        ({"fuzzy": "nobody at all"}, 0),
        ({"reasons": ["because", "nonsense"]}, 1),
        ({"suppression_type": "manual"}, 3),
        ({"suppression_types": ["bounce", "spam"]}, 0),
        ({"suppression_type": "bounces"}, 0),
        ({"suppression_type": "unsubscribes"}, 0),
        ({"suppression_type": "spam complaints"}, 0),
        ({"reason": "because"}, 1),
        ({"reasons": ["because"]}, 1),
        ({"start_date": "2020-01-01"}, 3),
        ({"end_date": "2020-01-01"}, 0),
        ({"recipients": [EVE, "ZOE@inbox.test"]}, 2),
        ({"email_address": "far.example", "recipient": EVE}, 2),
        ({"limit": 2}, 2),
        ({"limit": 2, "offset": 2}, 1),
    ],
)
async def test_viewing_by_every_name(api: Api, fields: dict[str, Any], number: int) -> None:
    await api.data("suppression/add", {"email_address": EVE, "block_description": "Because"})
    await api.data("suppression/add", {"email_address": ["zoe@inbox.test", "far.example"]})
    found = await api.data("suppression/view", fields)
    assert len(found["results"]) == number
    for one in found["results"]:
        assert set(one) == {"block_description", "complaint", "email_address", "reason",
                            "subject", "timestamp"}  # fmt: skip


async def test_entries_page_by_their_token(api: Api) -> None:
    await api.data("suppression/add", {"email_address": [f"a{n}@x.test" for n in range(3)]})
    page = await api.data("suppression/view", {"limit": 2, "sort": "asc"})
    assert (len(page["results"]), page["total_results"]) == (2, 3)
    rest = await api.data("suppression/view", {"continue_token": page["continue_token"]})
    assert len(rest["results"]) == 1
    assert rest["continue_token"] is None


async def test_what_was_mistyped_pages_as_well(api: Api) -> None:
    for name in ("ann", "eve", "zoe"):
        await api.data("suppression/add", {"email_address": f"{name}@inbox.test"})
    await api.data("suppression/add", {"email_address": "far.example"})
    fields: dict[str, Any] = {"email_address": "@inbxo.test", "fuzzy": True, "limit": 2}
    found: list[str] = []
    for _ in range(2):
        page = await api.data("suppression/view", {**fields, "sort": "asc"})
        assert (page["total_results"], page["total"]) == (3, 3)
        found += [one["email_address"] for one in page["results"]]
        fields["continue_token"] = page["continue_token"]
    assert found == ["ann@inbox.test", "eve@inbox.test", "zoe@inbox.test"]
    assert page["continue_token"] is None


async def test_the_old_paths_use_the_same_list(api: Api) -> None:
    assert await api.data("blocklist/add", {"email_address": EVE}) == {
        "added": True, "email_address": EVE}  # fmt: skip
    (row,) = (await api.data("blocklist/view", {"wildcard": "eve"}))["results"]
    assert set(row) == {"email_address", "reason", "timestamp", "complaint"}
    assert (await api.data("suppression/view"))["total_results"] == 1
    assert await api.data("blocklist/remove", {"email_address": EVE}) == {
        "removed": True, "email_address": EVE}  # fmt: skip


@pytest.mark.parametrize("entry", [EVE, "inbox.test", "@inbox.test"])
async def test_a_suppressed_recipient_gets_nothing_and_the_others_do(api: Api, entry: str) -> None:
    await api.data("suppression/add", {"email_address": entry})
    recipients = [EVE, "Bob@Second.TEST"]
    data = await api.data("email/send", {**LETTER, "to": recipients})
    assert data["succeeded"] == 1
    await api.deliver()
    assert await api.received(EVE) == []
    assert len(await api.received("bob@second.test")) == 1
    assert await api.events() == [
        ("processed", EVE), ("rejected", EVE), ("delivered", "bob@second.test")]  # fmt: skip


async def test_when_all_are_suppressed_the_call_still_succeeds(api: Api) -> None:
    await api.data("suppression/add", {"email_address": EVE})
    assert (await api.data("email/send", {**LETTER, "to": [EVE]}))["succeeded"] == 1
    await api.deliver()
    assert await api.received(EVE) == []
    assert await api.events() == [("processed", EVE), ("rejected", EVE)]
    (event,) = (await api.data("activity/search", {"event_types": ["rejected"]}))["events"]
    assert event["reason"] == "The recipient is suppressed (manual)"


async def test_an_entry_of_another_account_means_nothing_here(api: Api) -> None:
    sub = await api.data("subaccount/add", {"fullname": "Sub"})
    await api.data("suppression/add", {"email_address": EVE, "subaccount_id": sub["id"]})
    await api.send(to=[EVE])
    await api.deliver()
    assert len(await api.received(EVE)) == 1


@pytest.mark.parametrize(
    ("reply", "hard"),
    [
        (Reply(550, "5.1.1", "no such user"), True),
        (Reply(550, "", "no"), True),
        (Reply(552, "5.2.2", "full"), False),
        (Reply(554, "5.7.1", "spam"), False),
        (Reply(451, "4.3.0", "later"), False),
        (Reply(0, "4.4.1", "nobody"), False),
    ],
)
def test_which_refusals_are_hard(reply: Reply, hard: bool) -> None:
    assert is_hard(reply, expired=False) is hard
    assert is_hard(reply, expired=True) is False


async def test_a_hard_bounce_is_suppressed_for_seven_days(api: Api) -> None:
    """A refusal of our own mail host counts like any other."""
    await api.site.parts.administering.change(
        {"email_rule_settings": {"blockReceiveUnknowAddressEmail": True}}
    )
    await api.send(to=["nobody@inbox.test"])
    await api.deliver()
    assert await api.events() == [
        ("processed", "nobody@inbox.test"), ("hard-bounced", "nobody@inbox.test")]  # fmt: skip
    (entry,) = (await api.data("suppression/view"))["results"]
    assert (entry["email_address"], entry["reason"]) == ("nobody@inbox.test", "bounce")
    gone = ("", "nobody@inbox.test")
    read = api.site.parts.database.read
    week = 7 * 86_400 * 1_000_000
    before, after = now_micros() + week - 60_000_000, now_micros() + week + 60_000_000
    assert await read(suppressions.among_all, [gone], now=before) == {gone: "bounce"}
    assert await read(suppressions.among_all, [gone], now=after) == {}


async def test_a_message_that_was_damaged_here_suppresses_nobody(api: Api) -> None:
    """Hazards 22 and 53: it fails, and nobody has refused it."""

    async def damage(tx: Transaction) -> int:
        return await tx.execute("UPDATE contents SET checksum = 1")

    await api.send(to=[EVE])
    await api.site.parts.database.write(damage)
    await api.deliver()
    assert await api.events() == [("processed", EVE), ("soft-bounced", EVE)]
    assert (await api.data("suppression/view"))["results"] == []


async def test_a_suppressed_domain_holds_for_its_account_and_the_names_below_it(api: Api) -> None:
    """Hazard 45: asked for many mails at once, each gets its own answer."""
    await api.data("suppression/add", {"email_address": ["corp.test", "eve@mail.corp.test"]})
    people = ["ann@inbox.test", "bob@corp.test", "eve@mail.corp.test", "joe@other.test"]
    asked = [("", one) for one in people] + [("other", "bob@corp.test")]
    read = api.site.parts.database.read
    found = await read(suppressions.among_all, asked, now=now_micros())
    assert sorted(address for _, address in found) == ["bob@corp.test", "eve@mail.corp.test"]
    assert all(account == "" for account, _ in found)
