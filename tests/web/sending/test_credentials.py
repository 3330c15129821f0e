"""API keys, SMTP users, address lists, subaccounts (sending-api §9)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.errors import BadCredential, MailError, NotYours, SenderRefused
from mailbox_service.core.sending_api import SendingPrincipal
from mailbox_service.outbound.own_addresses import own_addresses
from tests.web.sending.conftest import LETTER, Api, serving_api

pytestmark = pytest.mark.anyio

PEER = Peer("192.0.2.9", helo="client.test", protocol="ESMTPA")
KEY_FIELDS = {
    *("api_key", "username", "description", "custom_rate_limit", "custom_ratelimit"),
    *("custom_ratelimit_value", "custom_ratelimit_period", "default_ratelimit_value"),
    *("default_ratelimit_period", "ippool", "feedback_enabled", "feedback_html"),
    *("feedback_text", "open_tracking_enabled", "click_tracking_enabled", "archive_enabled"),
    *("audit_email", "bounce_notifications", "status", "endpoints"),
}


# --- API keys ----------------------------------------------------------------------------------


async def test_a_key_is_shown_once_and_masked_afterwards(api: Api) -> None:
    (made,) = await api.data("api_keys/add", {"description": "shop"})
    assert set(made) >= KEY_FIELDS
    assert re.fullmatch(r"api-[a-zA-Z0-9]{32}", made["api_key"])
    assert made["username"] == made["api_key"][:16]
    assert made["endpoints"] == ["/email/send"]
    for asked in ({"id": made["api_key"]}, {"id": made["username"]}, {"search": "SHOP"}):
        (seen,) = await api.data("api_keys/view", asked)
        assert seen == {**made, "api_key": made["username"] + "*" * 20}
    assert len(await api.data("api_keys/view")) == 2
    assert await api.data("api_keys/remove", {"id": made["username"]}) == "ok"
    assert (await api.refused("api_keys/view", {"id": made["username"]}))[0] == 400


async def test_post_edits_to_defaults_and_patch_only_what_is_said(api: Api) -> None:
    (made,) = await api.data("api_keys/add", {"description": "a", "audit_email": "a@inbox.test",
                                              "endpoints": ["/email/*"]})  # fmt: skip
    name = {"id": made["username"]}
    (patched,) = await api.data("api_keys/edit", {**name, "status": "sandbox"}, verb="PATCH")
    assert (patched["description"], patched["status"]) == ("a", "sandbox")
    assert patched["endpoints"] == ["/email/*"]
    (edited,) = await api.data("api_keys/edit", {**name, "description": "b"})
    assert (edited["description"], edited["status"], edited["audit_email"]) == ("b", "allowed", "")
    assert edited["endpoints"] == ["/email/send"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "asleep"}, "status"),
        ({"endpoints": ["/no/such"]}, "endpoints"),
        ({"endpoints": ["nothing/*"]}, "endpoints"),
        ({"custom_ratelimit": True, "custom_ratelimit_period": "1 hour"}, "custom_ratelimit_value"),
        ({"custom_ratelimit": True, "custom_ratelimit_value": 5}, "custom_ratelimit_period"),
        ({"custom_ratelimit": True, "custom_ratelimit_value": 5,
          "custom_ratelimit_period": "soon"}, "custom_ratelimit_period"),
        ({"audit_email": "nobody"}, "audit_email"),
        ({"bounce_notifications": "nobody"}, "bounce_notifications"),
        ({"description": "x" * 2_000}, "description"),
    ],
)  # fmt: skip
async def test_settings_are_judged(api: Api, change: dict[str, Any], field: str) -> None:
    got = await api.refused("api_keys/add", change)
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", field)


@pytest.mark.parametrize(
    ("own", "wanted", "granted"),
    [
        (["/api_keys/*"], ["/api_keys/add"], True),
        (["/api_keys/*"], ["/api_keys/*"], True),
        (["/api_keys/*"], ["*"], False),
        (["/api_keys/*"], ["/email/send"], False),
        (["/api_keys/add"], ["/api_keys/*"], False),
    ],
)
async def test_a_key_makes_no_wider_key(
    api: Api, own: list[str], wanted: list[str], granted: bool
) -> None:
    (made,) = await api.data("api_keys/add", {"endpoints": own})
    (wide,) = await api.data("api_keys/add", {"endpoints": ["*"]})
    weak = Api(api.site, made["api_key"])
    answer = await weak.post("api_keys/add", {"endpoints": wanted})
    assert answer.status_code == (200 if granted else 400)
    if own == ["/api_keys/*"]:
        for path in ("api_keys/edit", "api_keys/remove"):
            assert (await weak.post(path, {"id": wide["username"]})).status_code == 400


async def test_keys_are_made_five_a_minute(api: Api) -> None:
    statuses = [(await api.post("api_keys/add")).status_code for _ in range(11)]
    assert statuses[:5] == [200] * 5
    assert 429 in statuses


async def test_a_sandbox_sends_nothing_but_the_audit_copy(api: Api) -> None:
    (made,) = await api.data("api_keys/add", {"status": "sandbox", "endpoints": ["*"],
                                              "audit_email": "audit@inbox.test"})  # fmt: skip
    sandbox = Api(api.site, made["api_key"])
    assert (await sandbox.data("email/send", LETTER))["succeeded"] == 1
    await api.deliver()
    assert await api.received() == []
    assert len(await api.received("audit@inbox.test")) == 1
    assert [kind for kind, _ in await api.events()] == ["processed", "rejected", "delivered"]


async def test_a_keys_own_rate_is_kept(api: Api) -> None:
    (made,) = await api.data("api_keys/add", {"custom_ratelimit": True, "endpoints": ["*"],
        "custom_ratelimit_value": 2, "custom_ratelimit_period": "365 days"})  # fmt: skip
    limited = Api(api.site, made["api_key"])
    for _ in range(2):
        await limited.send()
    answer = await limited.post("email/send", LETTER)
    assert answer.status_code == 429
    assert "API key ratelimit exceeded" in answer.json()["data"]["error"]
    assert answer.json()["data"]["error_code"] == "E_ApiResponseCodes.REQ_LIMIT_EXCEEDED"
    await api.send()


async def test_a_plan_that_is_used_up_is_402(tmp_path: Path) -> None:
    async with serving_api(tmp_path, sending_plan=2) as api:
        await api.send()
        await api.send()
        assert await api.refused("email/send", LETTER) == (402, "API_EXCEPTION", "")
        cycle = await api.data("stats/email_cycle")
        assert (cycle["cycle_max"], cycle["cycle_used"], cycle["cycle_remaining"]) == (2, 2, 0)


# --- SMTP users --------------------------------------------------------------------------------


async def login(api: Api, username: str, password: str, peer: Peer = PEER) -> SendingPrincipal:
    principal = await api.site.parts.authenticating.login(username, password, peer)
    assert isinstance(principal, SendingPrincipal)
    return principal


def letter(sender: str = "ann@inbox.test") -> bytes:
    return f"From: {sender}\r\nTo: bob@inbox.test\r\nSubject: smtp\r\n\r\nx\r\n".encode()


async def submit(api: Api, principal: SendingPrincipal, content: bytes) -> None:
    envelope = Envelope("ann@inbox.test", ("bob@inbox.test",))
    emails = api.site.parts.sending_api.emails
    await emails.submit_smtp(principal, envelope, content, PEER)


@pytest.mark.parametrize("wrap", [lambda user: user, lambda user: {"user_data": user}])
async def test_a_user_is_made_logs_in_and_sends(api: Api, wrap: Any) -> None:
    data = await api.data("users/smtp/add", wrap({"username": "shop-1"}))
    (user,) = data["results"]
    assert (user["username"], user["sending_allowed"]) == ("shop-1", True)
    assert user["custom_ratelimit_period"] == "0:00:00"
    assert len(user["email_password"]) >= 22
    principal = await login(api, "shop-1", user["email_password"])
    await submit(api, principal, letter())
    await api.deliver()
    (raw,) = await api.received()
    assert b"with ESMTPA" in raw
    (event, *_) = (await api.data("activity/search", {"search_usernames": ["shop-1"]}))["events"]
    assert event["username"] == "shop-1"
    for wrong in ("", "wrong", user["email_password"] + "x"):
        with pytest.raises(BadCredential):
            await login(api, "shop-1", wrong)
    (seen,) = (await api.data("users/smtp/view"))["results"]
    assert seen == {**user, "email_password": ""}
    with pytest.raises(SenderRefused):
        await submit(api, principal, letter("eve@else.example"))


async def test_an_api_key_logs_in_as_a_password(api: Api) -> None:
    principal = await login(api, "anything", api.key)
    await submit(api, principal, letter())
    with pytest.raises(BadCredential):
        await login(api, "anything", "api-" + "0" * 32)


EDITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("POST", {"description": "d"}, {"description": "d", "audit_email": ""}),
    ("PATCH", {"description": "d"}, {"description": "d", "audit_email": "a@inbox.test"}),
    ("POST", {"disabled": True},
     {"status": "blocked", "sending_allowed": False, "audit_email": "a@inbox.test"}),
    ("POST", {"new_username": "shop-2"}, {"username": "shop-2", "audit_email": "a@inbox.test"}),
    ("POST", {"allowed_ips": ["192.0.2.0/24"]}, {"allowed_ips": ["192.0.2.0/24"]}),
    ("POST", {"allow_senders": ["ann@inbox.test"]}, {"allow_senders": ["ann@inbox.test"]}),
    ("POST", {"disable_senders": ["Ann@inbox.test"]}, {"disable_senders": ["ann@inbox.test"]}),
    ("POST", {"sender_domain": "inbox.test"}, {"sender_domain": "inbox.test"}),
    ("POST", {"reset_stats": True}, {"audit_email": "a@inbox.test"}),
    ("POST", {"disable_senders": False}, {"disable_senders": [], "audit_email": "a@inbox.test"}),
    ("PATCH", {"audit_email": ""}, {"audit_email": ""}),
    ("PATCH", {"audit_email": None}, {"audit_email": "a@inbox.test"}),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "change", "expected"), EDITS)
async def test_users_are_edited(
    api: Api, verb: str, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A connector's edit is partial; the official POST is not."""
    await api.data("users/smtp/add", {"username": "shop-1", "audit_email": "a@inbox.test"})
    data = await api.data("users/smtp/edit", {"username": "shop-1", **change}, verb=verb)
    (user,) = data if verb == "PATCH" else data["results"]
    assert {name: user[name] for name in expected} == expected


@pytest.mark.parametrize("verb", ["POST", "PATCH"])
async def test_restrictions_of_a_user_are_lifted_by_empty_ones(api: Api, verb: str) -> None:
    """sending-api §9.2: an empty list is any."""
    limits = {"allowed_ips": ["192.0.2.9/32"], "allow_senders": ["ann@inbox.test"],
              "disable_senders": ["bob@inbox.test"], "sender_domain": "inbox.test"}  # fmt: skip
    await api.data("users/smtp/add", {"username": "shop-1", **limits})
    nothing = {"allowed_ips": [], "allow_senders": [], "disable_senders": [], "sender_domain": ""}
    data = await api.data("users/smtp/edit", {"username": "shop-1", **nothing}, verb=verb)
    (user,) = data if verb == "PATCH" else data["results"]
    assert {name: user[name] for name in nothing} == nothing


async def test_a_password_is_changed_and_shown_once(api: Api) -> None:
    await api.data("users/smtp/add", {"username": "shop-1"})
    change = {"username": "shop-1", "password": "correct horse"}
    (user,) = (await api.data("users/smtp/edit", change))["results"]
    assert user["email_password"] == "correct horse"
    assert await login(api, "shop-1", "correct horse")


@pytest.mark.parametrize(
    ("settings", "peer", "refused"),
    [
        ({"status": "blocked"}, PEER, BadCredential),
        ({"allowed_ips": ["198.51.100.0/24"]}, PEER, NotYours),
        ({"allowed_ips": ["192.0.2.9"]}, PEER, None),
    ],
)
async def test_a_login_keeps_to_its_restrictions(
    api: Api, settings: dict[str, Any], peer: Peer, refused: type[MailError] | None
) -> None:
    await api.data("users/smtp/add", {"username": "shop-1", "email_password": "12345678",
                                      **settings})  # fmt: skip
    if refused is None:
        assert await login(api, "shop-1", "12345678", peer)
        return
    with pytest.raises(refused):
        await login(api, "shop-1", "12345678", peer)


@pytest.mark.parametrize(
    ("limits", "passes"),
    [
        ({"allow_senders": ["ann@inbox.test"]}, True),
        ({"allow_senders": ["inbox.test"]}, True),
        ({"allow_senders": ["bob@inbox.test"]}, False),
        ({"disable_senders": ["ann@inbox.test"]}, False),
        ({"sender_domain": "inbox.test"}, True),
        ({"sender_domain": "second.test"}, False),
    ],
)
async def test_a_user_writes_only_as_whom_it_may(
    api: Api, limits: dict[str, Any], passes: bool
) -> None:
    await api.data("users/smtp/add", {"username": "shop-1", "email_password": "12345678",
                                      **limits})  # fmt: skip
    principal = await login(api, "shop-1", "12345678")
    if passes:
        await submit(api, principal, letter())
        return
    with pytest.raises(SenderRefused):
        await submit(api, principal, letter())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "username"),
        ({"username": "abc"}, "username"),
        ({"username": "shop-1", "email_password": "short"}, "email_password"),
        ({"username": "shop-1", "allowed_ips": ["nonsense"]}, "allowed_ips"),
        ({"username": "shop-1", "allow_senders": ["no one"]}, "allow_senders"),
    ],
)
async def test_what_is_no_user_is_refused(api: Api, fields: dict[str, Any], field: str) -> None:
    got = await api.refused("users/smtp/add", fields)
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", field)


async def test_users_have_names_of_their_own_and_go(api: Api) -> None:
    await api.data("users/smtp/add", {"username": "shop-1"})
    sub = await api.data("subaccount/add", {"fullname": "Sub"})
    taken = {"username": "shop-1", "subaccount_id": sub["id"]}
    assert (await api.refused("users/smtp/add", taken))[:2] == (400, "API_EXCEPTION")
    assert (await api.data("users/smtp/view", {"username": "none"}))["results"] == []
    assert len((await api.data("users/smtp/remove", {"username": "shop-1"}))["results"]) == 1
    assert (await api.refused("users/smtp/remove", {"username": "shop-1"}))[0] == 400


# --- Lists of addresses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"ip_address": "192.0.2.1", "description": "d"},
        {"ip": "192.0.2.1", "note": "d"},
        {"ip_address": " 192.0.2.1/32 ", "notes": "d"},
    ],
)
async def test_an_address_list_by_every_name(api: Api, fields: dict[str, Any]) -> None:
    entry = {"ip_address": "192.0.2.1", "description": "d"}
    assert await api.data("ip_allow_list/add", fields) == entry
    shown = await api.data("ip_allow_list/view")
    assert shown == {"enabled": False, "ip_addresses": [entry], "total": 1}
    edited = await api.data("ip_allow_list/edit", {"ip_address": "192.0.2.1",
                            "new_ip_address": "2001:db8::/32", "description": "e"})  # fmt: skip
    assert edited == {"ip_address": "2001:db8::/32", "description": "e"}
    assert await api.data("ip_allow_list/remove", {"ip_address": "2001:db8::/32"}) == edited
    assert (await api.refused("ip_allow_list/remove", {"ip_address": "192.0.2.1"}))[0] == 400
    assert (await api.refused("ip_allow_list/add", {"ip": "nonsense"}))[2] == "ip_address"
    assert (await api.refused("ip_allow_list/view", {"type": "ftp"}))[2] == "type"


async def test_the_api_list_keeps_others_out_and_never_the_caller(api: Api) -> None:
    got = await api.refused("ip_allow_list", {"enabled": True, "type": "api"})
    assert got == (400, "API_EXCEPTION", "")
    await api.data("ip_allow_list/add", {"ip_address": "127.0.0.0/8", "type": "api"})
    assert await api.data("ip_allow_list", {"enabled": True, "type": "api"}) == {"enabled": True}
    gone = {"ip_address": "127.0.0.0/8", "type": "api"}
    assert (await api.refused("ip_allow_list/remove", gone))[0] == 400
    async with api.site.client("192.0.2.50") as elsewhere:
        answer = await elsewhere.post("/v3/email/send", json={**LETTER, "api_key": api.key})
    assert answer.status_code == 403
    assert answer.json()["data"]["error_code"].endswith("ENDPOINT_PERMISSION_DENIED")
    await api.send()


async def test_the_smtp_list_keeps_logins_out(api: Api) -> None:
    await api.data("ip_allow_list/add", {"ip_address": "198.51.100.1"})
    await api.data("ip_allow_list", {"enabled": True})
    with pytest.raises(NotYours):
        await login(api, "any", api.key)
    assert await login(api, "any", api.key, Peer("198.51.100.1"))


async def test_addresses_without_login_and_pools(api: Api) -> None:
    assert (await api.data("ip_auth/view"))["results"] == []
    fields = {"ip_address": "192.0.2.1"}
    assert (await api.refused("ip_auth/edit", fields, verb="PATCH"))[0] == 400
    assert (await api.refused("ip_auth/remove", fields))[0] == 400
    (pool,) = await api.data("dedicated_ips/view")
    assert (pool["id"], pool["name"]) == (1, "default")
    # What this host sends from; none where it has no way out.
    assert pool["ip_addresses"] == own_addresses()
    for address in pool["ip_addresses"]:
        assert not ip_address(address).is_unspecified


# --- Subaccounts -------------------------------------------------------------------------------


async def test_a_subaccount_lives_its_life(api: Api) -> None:
    made = await api.data("subaccount/add", {"fullname": "Sub", "subaccount_email": "s@x.test",
                                             "limit": 2, "enable_sms": True})  # fmt: skip
    assert re.fullmatch(r"[a-z0-9]{6}", made["id"])
    assert {**made, "id": "", "email": ""} == {
        "name": "Sub", "id": "", "email": "", "plan_size": 2, "plan_used": 0,
        "plan_remaining": 2, "state": "Active", "dedicated_ip": False, "archiving": False,
        "enforce_2fa": False, "sms_enabled": True, "sms_limit": 1000}  # fmt: skip
    edited = await api.data("subaccount/edit", {"id": made["id"], "limit": 1})
    assert (edited["plan_size"], edited["name"]) == (1, "Sub")
    (key,) = await api.data("api_keys/add", {"endpoints": ["*"], "subaccount_id": made["id"]})
    theirs = Api(api.site, key["api_key"])
    assert await theirs.refused("email/send", LETTER) == (400, "API_EXCEPTION", "")
    assert (await theirs.refused("subaccount/add", {"fullname": "x"}))[0] == 403
    assert (await theirs.refused("template/search", {"subaccount_id": "other"}))[0] == 400
    assert await api.data("subaccount/close", {"id": made["id"]})
    assert (await theirs.refused("template/search"))[0] == 401
    assert await api.data("subaccount/reopen", {"id": made["id"]})
    assert (await theirs.post("template/search")).status_code == 200


async def test_a_subaccount_sends_from_a_domain_it_was_given(api: Api) -> None:
    sub = await api.data("subaccount/add", {"fullname": "Sub", "limit": 1})
    await api.data("domain/add", {"domain": "second.test",
                                  "subaccount_access": {"subaccounts": [sub["id"]]}})  # fmt: skip
    fields = {**LETTER, "sender": "ann@second.test", "subaccount_id": sub["id"]}
    assert (await api.data("email/send", fields))["succeeded"] == 1
    assert (await api.refused("email/send", fields)) == (402, "API_EXCEPTION", "")
    (usage,) = (await api.data("subaccounts/usage", {"subaccount_id": sub["id"]}))["subaccounts"]
    assert (usage["plan_used"], usage["plan_remaining"]) == (1, 0)
    assert (await api.data("activity/search"))["total_events"] == 0
    found = await api.data("activity/search", {"subaccounts": [sub["id"]]})
    assert found["total_events"] == 1


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["Alpha", "Beta"]),
        ({"sort_direction": "desc"}, ["Beta", "Alpha"]),
        ({"search_terms": ["lph"]}, ["Alpha"]),
        ({"search_terms": ["lph"], "fuzzy_search": False}, []),
        ({"search_terms": ["aplha"]}, ["Alpha"]),
        ({"search_terms": "beta", "fuzzy_search": False}, ["Beta"]),
        ({"states": "active"}, ["Alpha"]),
        ({"states": "closed"}, ["Beta"]),
        ({"active": True}, ["Alpha"]),
        ({"active": False}, ["Beta"]),
        ({"name": "Alpha"}, ["Alpha"]),
        ({"email": "beta@x.test"}, ["Beta"]),
        ({"limit": 1, "offset": 1}, ["Beta"]),
        ({"page_size": 1}, ["Alpha"]),
    ],
)
@pytest.mark.parametrize("path", ["subaccounts/search", "subaccount/search"])
async def test_subaccounts_are_searched(
    api: Api, path: str, fields: dict[str, Any], names: list[str]
) -> None:
    for name in ("Beta", "Alpha"):
        made = await api.data("subaccount/add", {"fullname": name,
                              "subaccount_email": f"{name}@x.test"})  # fmt: skip
        if name == "Beta":
            await api.data("subaccount/close", {"id": made["id"]})
    found = await api.data(path, fields)
    assert [one["name"] for one in found["subaccounts"]] == names
    assert isinstance(found["continue_token"], str)


async def test_an_address_is_trusted_edited_and_forgotten(api: Api) -> None:
    """§9.4 names no adding call: `ip_auth/add` is ours, in the shape of the others."""
    addresses = api.site.parts.sending_api.authenticated_ips
    assert await addresses.admitted("192.0.2.9") is None
    fields = {"ip_address": "192.0.2.9", "description": "printer"}
    (added,) = (await api.data("ip_auth/add", fields))["results"]
    assert (added["ip_address"], added["description"]) == ("192.0.2.9", "printer")
    assert added["sending_allowed"] is True
    assert (await api.refused("ip_auth/add", fields))[:2] == (400, "API_EXCEPTION")
    admitted = await addresses.admitted("192.0.2.9")
    assert admitted is not None
    assert admitted.credential is not None
    assert admitted.credential.username == "192.0.2.9"
    assert await addresses.admitted("::ffff:192.0.2.9")
    assert await addresses.admitted("192.0.2.10") is None
    assert await addresses.admitted("") is None
    envelope = Envelope("ann@inbox.test", ("bob@inbox.test",))
    content = b"From: ann@inbox.test\r\nTo: bob@inbox.test\r\nSubject: printed\r\n\r\nx\r\n"
    emails = api.site.parts.sending_api.emails
    await emails.submit_smtp(admitted, envelope, content, Peer("192.0.2.9", protocol="ESMTP"))
    (seen,) = (await api.data("activity/search", {"search_subject": "printed"}))["events"]
    assert seen["username"] == "192.0.2.9"
    foreign = content.replace(b"ann@inbox.test", b"ann@elsewhere.test")
    with pytest.raises(SenderRefused):
        await emails.submit_smtp(admitted, Envelope("ann@elsewhere.test", ("bob@inbox.test",)),
                                 foreign, Peer("192.0.2.9"))  # fmt: skip
    blocked = {"ip_address": "192.0.2.9", "status": "blocked"}
    (edited,) = await api.data("ip_auth/edit", blocked, verb="PATCH")
    assert (edited["status"], edited["description"]) == ("blocked", "printer")
    assert await addresses.admitted("192.0.2.9") is None
    await api.data("ip_auth/edit", {**blocked, "status": "allowed"}, verb="PATCH")
    assert await addresses.admitted("192.0.2.9")
    await api.data("ip_auth/remove", {"ip_address": "192.0.2.9"})
    assert await addresses.admitted("192.0.2.9") is None
    assert (await api.data("ip_auth/view"))["results"] == []


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("192.0.2.0/24", 200),
        ("192.0.0.0/16", 400),
        ("0.0.0.0/0", 400),
        ("2001:db8::/64", 200),
        ("2001:db8::/32", 400),
        ("nowhere", 400),
    ],
)
async def test_a_trusted_network_is_a_small_one(api: Api, place: str, status: int) -> None:
    assert (await api.post("ip_auth/add", {"ip_address": place})).status_code == status


async def test_of_two_trusted_networks_the_smaller_counts(api: Api) -> None:
    addresses = api.site.parts.sending_api.authenticated_ips
    await api.data("ip_auth/add", {"ip_address": "192.0.2.0/24"})
    await api.data("ip_auth/add", {"ip_address": "192.0.2.7", "status": "blocked"})
    assert await addresses.admitted("192.0.2.6")
    assert await addresses.admitted("192.0.2.7") is None


async def test_a_subaccount_trusts_no_address(api: Api) -> None:
    made = await api.data("subaccount/add", {"fullname": "A customer"})
    (key,) = await api.data("api_keys/add", {"subaccount_id": made["id"], "endpoints": ["*"]})
    below = Api(api.site, key["api_key"])
    assert (await below.refused("ip_auth/add", {"ip_address": "192.0.2.9"}))[0] == 400
    fields = {"ip_address": "192.0.2.9", "subaccount_id": made["id"]}
    await api.data("ip_auth/add", fields)
    found = await api.site.parts.sending_api.authenticated_ips.admitted("192.0.2.9")
    assert found is not None
    assert found.credential is not None
    assert found.credential.account == made["id"]


async def test_the_smtp_list_counts_for_trusted_addresses_as_well(api: Api) -> None:
    addresses = api.site.parts.sending_api.authenticated_ips
    await api.data("ip_auth/add", {"ip_address": "192.0.2.9"})
    await api.data("ip_allow_list/add", {"ip_address": "198.51.100.1"})
    await api.data("ip_allow_list", {"enabled": True})
    assert await addresses.admitted("192.0.2.9") is None
