"""Bounces and complaints that come back (sending-api §7.4), and those that are made up
(hazard 53): mail goes through a real hop, reports come through the real reception."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.errors import NotOurDomain
from mailbox_service.core.return_path import ReturnPaths
from tests.nameserver import NameServer, serving
from tests.nexthop import NextHop, running
from tests.web.sending.conftest import Api, serving_api

pytestmark = pytest.mark.anyio

PEER = Peer("192.0.2.1", helo="mx.far.test")
FEEDBACK = "fbl@inbox.test"


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with running(NextHop()) as server:
        yield server


@pytest.fixture
async def api(tmp_path: Path, hop: NextHop) -> AsyncIterator[Api]:
    async with serving_api(
        tmp_path,
        sending_rate=0,
        outbound="relay",
        relay_url=f"smtp://127.0.0.1:{hop.port}",
        feedback_address=FEEDBACK,
    ) as running_api:
        yield running_api


def notice(
    recipient: str, status: str = "5.1.1", action: str = "failed", original: str = ""
) -> bytes:
    """A report of RFC 3464."""
    first = f"Original-Recipient: rfc822; {original}\r\n" if original else ""
    return (
        "From: mailer-daemon@mx.far.test\r\nTo: you\r\nSubject: failed\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.far.test\r\n\r\n"
        f"{first}Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\n"
        f"Status: {status}\r\nDiagnostic-Code: smtp; 550 {status} No such user\r\n\r\n"
        "--b--\r\n"
    ).encode()


def complaint(original: str, mail_from: str = "", kind: str = "abuse") -> bytes:
    """A report of RFC 5965."""
    sender = f"Original-Mail-From: <{mail_from}>\r\n" if mail_from else ""
    return (
        "From: fbl@far.test\r\nTo: you\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is a complaint.\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {kind}\r\nUser-Agent: x/1\r\nVersion: 1\r\n{sender}"
        f"Original-Rcpt-To: <{original}>\r\n\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: ann@inbox.test\r\n\r\n"
        "--b--\r\n"
    ).encode()


ODD = (
    b"From: MAILER-DAEMON@old.test\r\nTo: x\r\nSubject: failure notice\r\n\r\n"
    b"Hi. This is the qmail-send program at old.test.\r\n"
    b"I'm afraid I wasn't able to deliver your message to the following addresses.\r\n\r\n"
    b"<bob@far.test>:\r\n192.0.2.1 does not like recipient.\r\n"
    b"Remote host said: 550 no such user\r\nGiving up on 192.0.2.1.\r\n\r\n"
    b"--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <x>\r\n"
)


async def sent(api: Api, hop: NextHop, *to: str, **fields: Any) -> str:
    """Send a letter; its return-path."""
    before = len(hop.taken)
    await api.send(to=list(to), **fields)
    await api.deliver()
    return hop.taken[before].reverse_path


async def come_back(api: Api, address: str, raw: bytes) -> None:
    await api.site.parts.receiving.accept(Envelope("", (address,)), raw, PEER)
    await api.site.parts.sending_api.returns.work_some()


async def suppressed(api: Api) -> list[tuple[str, str]]:
    found = await api.data("suppression/view")
    return sorted((one["email_address"], one["reason"]) for one in found["results"])


async def test_every_message_has_a_return_path_of_its_own(api: Api, hop: NextHop) -> None:
    first = await sent(api, hop, "bob@far.test")
    second = await sent(api, hop, "bob@far.test")
    assert first != second
    for path in (first, second):
        assert path.startswith("bounce+")
        assert path.endswith("@inbox.test")
        assert len(path.partition("@")[0]) <= 64


async def test_bounces_come_to_the_senders_own_domain_once_its_dns_leads_to_us(
    hop: NextHop, tmp_path: Path
) -> None:
    """sending-api §7.4: below the sender's domain, which SPF and DMARC then agree with; before
    that at a domain of ours, since bounces to the sender would tell us nothing."""
    async with (
        serving(NameServer()) as names,
        serving_api(
            tmp_path,
            sending_rate=0,
            name_servers=[names.address],
            outbound="relay",
            relay_url=f"smtp://127.0.0.1:{hop.port}",
        ) as api,
    ):
        fields = {"domain": "shop.example", "returnpath_subdomain": "back"}
        (added,) = (await api.data("domain/add", fields))["domains"]
        domain = added["domain"]
        names.records = {
            (f"{domain['dkim_selector']}._domainkey.shop.example", "CNAME"): [
                f"{domain['dkim_value']}."
            ],
            (domain["dkim_value"], "A"): ["192.0.2.1"],
        }
        await api.data("domain/verify", {"domain": "shop.example"})
        sender = {"sender": "ann@news.shop.example"}
        path = await sent(api, hop, "bob@far.test", **sender)
        assert path.startswith("bounce+")
        assert path.endswith("@inbox.test")
        names.records |= {
            ("back.shop.example", "CNAME"): [f"{domain['rpath_value']}."],
            (domain["rpath_value"], "A"): ["192.0.2.1"],
        }
        await api.data("domain/verify", {"domain": "shop.example"})
        path = await sent(api, hop, "bob@far.test", **sender)
        assert path.startswith("bounce+")
        assert path.endswith("@back.shop.example")
        await come_back(api, path, notice("bob@far.test"))
        assert await suppressed(api) == [("bob@far.test", "bounce")]


async def test_mail_of_mailboxes_keeps_its_sender(api: Api, hop: NextHop) -> None:
    ann = await api.site.open("ann")
    await api.site.http.post(
        "/api/send_mail",
        json={"to_mail": "bob@far.test", "subject": "s", "content": "c"},
        headers=ann.auth,
    )
    await api.deliver()
    assert hop.taken[0].reverse_path == "ann@inbox.test"


# Status of the notice -> event, suppressions.
KINDS = [
    ("5.1.1", "hard-bounced", [("bob@far.test", "bounce")]),
    ("5.2.1", "hard-bounced", [("bob@far.test", "bounce")]),
    ("5.2.2", "soft-bounced", []),
    ("5.7.1", "soft-bounced", []),
    ("4.4.7", "soft-bounced", []),
]


@pytest.mark.parametrize(("status", "event", "listed"), KINDS)
async def test_a_notice_becomes_an_event_and_a_suppression(
    api: Api, hop: NextHop, status: str, event: str, listed: list[tuple[str, str]]
) -> None:
    path = await sent(api, hop, "bob@far.test")
    await come_back(api, path, notice("bob@far.test", status))
    assert (await api.events())[-1] == (event, "bob@far.test")
    assert await suppressed(api) == listed


async def test_a_bounce_is_let_go_after_a_week(api: Api, hop: NextHop) -> None:
    path = await sent(api, hop, "bob@far.test")
    await come_back(api, path, notice("bob@far.test"))
    rows = await api.site.parts.database.read(ending)
    assert len(rows) == 1
    assert rows[0][1] - rows[0][0] == 7 * 86_400 * 1_000_000


async def ending(tx: Any) -> Any:
    return await tx.fetch_all("SELECT created_at, expires_at FROM suppressions", {})


async def test_the_same_report_again_says_nothing_new(api: Api, hop: NextHop) -> None:
    path = await sent(api, hop, "bob@far.test")
    for _ in range(3):
        await come_back(api, path, notice("bob@far.test"))
    assert await api.events(event_types=["hard-bounced"]) == [("hard-bounced", "bob@far.test")]


async def test_a_delay_is_no_failure(api: Api, hop: NextHop) -> None:
    path = await sent(api, hop, "bob@far.test")
    await come_back(api, path, notice("bob@far.test", "4.4.1", action="delayed"))
    assert (await api.events())[-1][0] == "delivered"


async def test_a_failure_behind_a_forward_is_about_the_one_recipient(
    api: Api, hop: NextHop
) -> None:
    path = await sent(api, hop, "bob@far.test")
    await come_back(api, path, notice("robert@behind.test"))
    assert await suppressed(api) == [("bob@far.test", "bounce")]


async def test_a_bounce_of_no_standard_is_read_too(api: Api, hop: NextHop) -> None:
    path = await sent(api, hop, "bob@far.test")
    await come_back(api, path, ODD)
    assert await suppressed(api) == [("bob@far.test", "bounce")]


async def test_a_complaint_suppresses_for_good(api: Api, hop: NextHop) -> None:
    path = await sent(api, hop, "bob@far.test", "cy@far.test")
    await come_back(api, FEEDBACK, complaint("bob@far.test", mail_from=path))
    assert (await api.events())[-1] == ("spam", "bob@far.test")
    assert await suppressed(api) == [("bob@far.test", "spam")]
    await come_back(api, path, complaint("cy@far.test"))
    assert await suppressed(api) == [("bob@far.test", "spam"), ("cy@far.test", "spam")]


async def test_praise_is_no_complaint(api: Api, hop: NextHop) -> None:
    path = await sent(api, hop, "bob@far.test")
    await come_back(api, path, complaint("bob@far.test", kind="not-spam"))
    assert await suppressed(api) == []


# What is made up.


async def test_a_forged_return_path_is_no_address_of_ours(api: Api, hop: NextHop) -> None:
    """Hazard 53: without the proof nothing is taken as a report."""
    path = await sent(api, hop, "bob@far.test")
    local, _, domain = path.partition("@")
    returns = api.site.parts.sending_api.returns
    changed = local[:-1] + ("a" if local[-1] != "a" else "b")
    other_message = local[:10] + ("1" if local[10] != "1" else "2") + local[11:]
    stranger = ReturnPaths("another secret").local_part("01ARZ3NDEKTSV4RRFFQ69G5FAV", ["far.test"])
    for forged in (changed, other_message, stranger, local + "a", "bounce+", "bounce+ann"):
        assert not returns.takes(f"{forged}@{domain}")
    # Such mail is mail for an address like any other, and suppresses nobody.
    await come_back(api, f"{changed}@{domain}", notice("bob@far.test"))
    assert await suppressed(api) == []


async def test_a_report_speaks_only_of_those_who_took_the_message(api: Api, hop: NextHop) -> None:
    """Hazard 53."""
    path = await sent(api, hop, "bob@far.test", "cy@far.test")
    await come_back(api, path, notice("victim@elsewhere.test"))
    await come_back(api, FEEDBACK, complaint("victim@elsewhere.test", mail_from=path))
    assert await suppressed(api) == []


async def test_the_host_of_one_domain_cannot_bounce_for_another(tmp_path: Path) -> None:
    """Hazard 53: the return-path is bound to the domain that the copy went to."""
    paths = ReturnPaths("secret")
    address = paths.local_part("01ARZ3NDEKTSV4RRFFQ69G5FAV", ["far.test"]) + "@inbox.test"
    read = paths.read(address)
    assert read is not None
    assert read.covers("bob@far.test")
    assert not read.covers("bob@elsewhere.test")
    both = paths.local_part("01ARZ3NDEKTSV4RRFFQ69G5FAV", ["far.test", "elsewhere.test"])
    anybody = paths.read(both + "@inbox.test")
    assert anybody is not None
    assert anybody.covers("bob@elsewhere.test")


async def test_a_complaint_without_proof_counts_for_nothing(api: Api, hop: NextHop) -> None:
    """Hazard 53."""
    await sent(api, hop, "bob@far.test")
    await come_back(api, FEEDBACK, complaint("bob@far.test"))
    await come_back(api, FEEDBACK, complaint("bob@far.test", mail_from="bounce+x@inbox.test"))
    await come_back(api, FEEDBACK, notice("bob@far.test"))
    assert await suppressed(api) == []


async def test_reports_relay_nothing(api: Api) -> None:
    """Hazard 11: an address of another domain is refused, whatever stands before the @."""
    with pytest.raises(NotOurDomain):
        await come_back(api, "bounce+x@elsewhere.test", notice("bob@far.test"))


HOSTILE = [
    b"",
    b"\r\n",
    b"\xff" * 1_000,
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n",
    notice("bob@far.test")[:-60],
    notice("x" * 100_000 + "@far.test"),
    complaint("\x00<>")[:-1],
    b"Content-Type: multipart/report; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 5_000,
]


@pytest.mark.parametrize("raw", HOSTILE)
async def test_no_report_stops_those_behind_it(api: Api, hop: NextHop, raw: bytes) -> None:
    path = await sent(api, hop, "bob@far.test", "cy@far.test")
    await come_back(api, path, raw)
    await come_back(api, path, notice("cy@far.test"))
    assert ("cy@far.test", "bounce") in await suppressed(api)


# Where bounces are told.


@pytest.mark.parametrize(("wanted", "mails"), [("from", 1), ("drop", 0), ("desk@inbox.test", 0)])
async def test_a_bounce_goes_to_whom_the_credential_names(
    api: Api, hop: NextHop, wanted: str, mails: int
) -> None:
    made = await api.data("api_keys/add", {"endpoints": ["*"], "bounce_notifications": wanted})
    key = Api(api.site, made[0]["api_key"])
    path = await sent(key, hop, "bob@far.test")
    await come_back(api, path, notice("bob@far.test"))
    assert len(await api.received("ann@inbox.test")) == mails
    assert len(await api.received("desk@inbox.test")) == (wanted == "desk@inbox.test")


async def test_a_report_survives_a_restart(tmp_path: Path, hop: NextHop) -> None:
    settings: dict[str, Any] = {
        "sending_rate": 0,
        "outbound": "relay",
        "relay_url": f"smtp://127.0.0.1:{hop.port}",
    }
    async with serving_api(tmp_path, **settings) as api:
        path = await sent(api, hop, "bob@far.test")
        await api.site.parts.receiving.accept(Envelope("", (path,)), notice("bob@far.test"), PEER)
    async with serving_api(tmp_path, **settings) as api:
        await api.site.parts.sending_api.returns.work_some()
        assert await suppressed(api) == [("bob@far.test", "bounce")]
