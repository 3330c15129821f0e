"""Openings, clicks and unsubscribing (sending-api §7.1 to §7.3, hazard 45), through a real hop."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.tracking import Mark, Marks
from mailbox_service.services.clock import now_micros
from mailbox_service.storage.database import Transaction
from tests.nexthop import NextHop, running
from tests.services.test_places import write as write_places
from tests.web.sending.conftest import Api, serving_api
from tests.web.site import SECRET
from tests.webhook_receiver import Receiver

pytestmark = pytest.mark.anyio

HTML = (
    "<html><body><p>Hé!</p>"
    '<a class="x" href="https://shop.test/a?x=1&amp;y=2">one</a> '
    "<A HREF='http://shop.test/b'>two</A> "
    '<a no-track href="https://shop.test/c">three</a> '
    '<a href="mailto:desk@shop.test">mail</a> '
    "https://shop.test/bare</body></html>"
)
PEER = Peer("192.0.2.1", helo="mx.far.test")


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
        tracking_url="https://track.test",
    ) as running_api:
        yield running_api


async def with_settings(api: Api, **settings: Any) -> Api:
    """The API with a key that has these settings."""
    made = await api.data("api_keys/add", {"endpoints": ["*"], **settings})
    return Api(api.site, made[0]["api_key"])


def bodies(content: bytes) -> tuple[str, str]:
    """HTML and text of a message."""
    message = message_from_bytes(content, policy=policy.default)
    found = {part.get_content_type(): part for part in message.walk()}
    return tuple(
        str(found[kind].get_content()) if kind in found else ""
        for kind in ("text/html", "text/plain")
    )  # type: ignore[return-value]


def path_of(link: str) -> str:
    assert link.startswith("https://track.test/t/")
    return link.removeprefix("https://track.test")


async def send(api: Api, **changes: Any) -> str:
    email_id = await api.send(
        to=["bob@far.test"], html_body=HTML, text_body="plain https://shop.test/x", **changes
    )
    await api.deliver()
    return email_id


async def test_without_the_settings_mail_is_as_it_was(api: Api, hop: NextHop) -> None:
    await send(api)
    html, _ = bodies(hop.taken[0].content)
    assert "track.test" not in html
    assert b"List-Unsubscribe" not in hop.taken[0].content


async def test_an_opening_is_told_at_every_look(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, open_tracking_enabled=True)
    await send(key)
    html, text = bodies(hop.taken[0].content)
    assert "track.test" not in text
    (picture,) = re.findall(r'<img src="([^"]+)"', html)
    assert html.index(picture) < html.index("</body>")
    for _ in range(2):
        answer = await api.site.http.get(path_of(picture), headers={"User-Agent": "Reader/1"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/gif"
        assert answer.headers["cache-control"] == "no-store"
    await api.site.http.head(path_of(picture))
    found = await key.events(event_types=["opened"])
    assert found == [("opened", "bob@far.test")] * 2


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def test_who_looked_is_told_as_far_as_the_program_says(
    api: Api, hop: NextHop, receiver: Receiver
) -> None:
    """`client`, `client-device`, `client-os` (§6.3), `email_client` (§3), `opens` (§2.7)."""
    key = await with_settings(api, open_tracking_enabled=True, click_tracking_enabled=True)
    await key.data(
        "webhook/add",
        {"url": receiver.url, "events": ["open", "click"], "output_format": "json"},
    )
    await send(key)
    html, _ = bodies(hop.taken[0].content)
    (picture,) = re.findall(r'<img src="([^"]+)"', html)
    link = next(one for one in re.findall(r"href=[\"']([^\"']+)", html) if "track.test" in one)
    for path in (path_of(picture), path_of(link)):
        await api.site.http.get(path, headers={"User-Agent": FIREFOX})
    parts = api.site.parts
    while len(receiver.got) < 2:
        await parts.sending_api.reporting.report()
        await parts.notifying.start_some()
        await parts.notifying.settled()
    for told in (json.loads(got.body) for got in receiver.got):
        assert told["user-agent"] == FIREFOX
        assert (told["client"], told["client-device"], told["client-os"]) == (
            "Firefox", "desktop", "Linux")  # fmt: skip
        assert told["srchost"]
        assert not [name for name in told if name.startswith("geoip")]
    for kind in ("opened", "clicked"):
        (event,) = (await key.data("activity/search", {"event_types": [kind]}))["events"]
        client = {"name": "Firefox", "device": "desktop", "os": "Linux"}
        assert event["email_client"] == {**client, "user_agent": FIREFOX}
    for fields in ({}, {"opened_only": True}, {"clicked_only": True}):
        (row,) = (await key.data("email/search", fields))["emails"]
        (look,) = row["opens"]
        assert (row["total_opens"], look["recipient"]) == (1, "bob@far.test")
        assert (look["user_agent"], look["ip_address"]) == (FIREFOX, "127.0.0.1")


async def test_links_are_followed_by_way_of_us(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, click_tracking_enabled=True)
    await send(key)
    html, text = bodies(hop.taken[0].content)
    links = [link.replace("&amp;", "&") for link in re.findall(r"href=[\"']([^\"']+)", html)]
    assert "https://shop.test/c" in links
    assert "mailto:desk@shop.test" in links
    assert "no-track" not in html
    assert "https://shop.test/bare" in html
    assert "https://shop.test/x" in text
    tracked = [link for link in links if "track.test" in link]
    assert len(tracked) == 2
    for link, target in zip(
        tracked, ("https://shop.test/a?x=1&y=2", "http://shop.test/b"), strict=True
    ):
        for method in ("HEAD", "GET"):  # the first of them only asks, and is no click
            answer = await api.site.http.request(method, path_of(link))
            assert (answer.status_code, answer.headers["location"]) == (302, target)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert await key.events(event_types=["clicked"]) == [("clicked", "bob@far.test")] * 2


async def test_each_recipient_has_a_copy_of_their_own(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, open_tracking_enabled=True)
    await key.send(to=["bob@far.test", "cy@far.test"], html_body=HTML)
    await key.deliver()
    pictures = set()
    for taken in hop.taken:
        assert len(taken.recipients) == 1
        pictures |= set(re.findall(r'<img src="([^"]+)"', bodies(taken.content)[0]))
    assert len(pictures) == 2
    for picture in sorted(pictures):
        await api.site.http.get(path_of(picture))
    assert sorted(await key.events(event_types=["opened"])) == [
        ("opened", "bob@far.test"),
        ("opened", "cy@far.test"),
    ]


async def test_copies_for_our_own_mailboxes_are_tracked_too(api: Api) -> None:
    key = await with_settings(api, open_tracking_enabled=True)
    await key.send(to=["bob@inbox.test"], html_body=HTML)
    await key.deliver()
    (content,) = await key.received()
    assert "https://track.test/t/o/" in bodies(content)[0]


async def test_no_link_can_be_forged_or_lead_elsewhere(api: Api, hop: NextHop) -> None:
    """Hazard 45."""
    key = await with_settings(api, open_tracking_enabled=True, click_tracking_enabled=True)
    await send(key)
    html, _ = bodies(hop.taken[0].content)
    link = path_of(re.findall(r'href="(https://track[^"]+)', html)[0])
    token = link.rpartition("/")[2]
    marks, strangers = Marks(SECRET), Marks("another secret")
    wrong = [
        token[:-4] + "aaaa",
        "b" + token[1:],
        token + "a",
        "",
        "a" * 37,
        "é" * 37,
        strangers.token(Mark("c", 1, 0)),
        marks.token(Mark("o", 1, 0)),
        marks.token(Mark("c", 1, 99)),
        marks.token(Mark("c", 99, 0)),
    ]
    for one in wrong:
        for more in ("", "?url=https://evil.test", "?u=//evil.test"):
            answer = await api.site.http.get(f"/t/c/{one}{more}")
            assert answer.status_code == 404, one
            assert "location" not in answer.headers
    answer = await api.site.http.get(f"{link}?url=https://evil.test")
    assert answer.headers["location"].startswith("https://shop.test/")
    await api.site.http.get(f"/t/o/{strangers.token(Mark('o', 1))}")
    assert await key.events(event_types=["opened"]) == []


FOOTER = {
    "feedback_enabled": True,
    "feedback_html": '<p>Bye: <a href="%%UNSUBSCRIBE%%">stop</a> for %%EMAIL%%</p>',
    "feedback_text": "Stop: %%UNSUBSCRIBE%% (%%EMAIL%%)",
}


async def unsubscribe_link(hop: NextHop) -> str:
    message = message_from_bytes(hop.taken[-1].content, policy=policy.default)
    link, mail = re.findall(r"<([^>]+)>", "".join(message["List-Unsubscribe"].split()))
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.startswith("mailto:unsub+")
    return str(link)


async def test_the_footer_and_the_fields_unsubscribe(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, **FOOTER, click_tracking_enabled=True)
    await send(key)
    html, text = bodies(hop.taken[0].content)
    link = await unsubscribe_link(hop)
    assert f'<a href="{link}">stop</a> for bob@far.test' in html
    assert f"Stop: {link} (bob@far.test)" in text
    signed = re.search(rb"h=([^;]+);", hop.taken[0].content.split(b"\r\n\r\n")[0])
    assert signed is not None
    assert b"list-unsubscribe-post" in signed[1].lower()


async def test_a_get_asks_and_a_post_unsubscribes(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, **FOOTER)
    await send(key)
    path = path_of(await unsubscribe_link(hop))
    answer = await api.site.http.get(path)
    assert answer.status_code == 200
    assert "bob@far.test" in answer.text
    assert "script" not in answer.headers["content-security-policy"]
    assert await key.events(event_types=["unsubscribed"]) == []
    for _ in range(2):  # twice is once
        answer = await api.site.http.post(
            path,
            content=b"List-Unsubscribe=One-Click",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert await key.events(event_types=["unsubscribed"]) == [("unsubscribed", "bob@far.test")]
    found = await key.data("suppression/view", {"email_address": "bob@far.test"})
    assert [one["reason"] for one in found["results"]] == ["unsubscribe"]
    await send(key)
    assert len(hop.taken) == 1
    await api.site.http.post(path, content=b"do=resubscribe")
    assert await key.events(event_types=["resubscribed"]) == [("resubscribed", "bob@far.test")]
    await send(key)
    assert len(hop.taken) == 2


async def test_a_mail_to_the_address_of_the_field_unsubscribes(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, **FOOTER)
    await send(key)
    fields = message_from_bytes(hop.taken[0].content, policy=policy.default)
    address = re.findall(r"mailto:([^>]+)>", "".join(fields["List-Unsubscribe"].split()))[0]
    await api.site.parts.receiving.accept(
        Envelope("bob@far.test", (address,)), b"From: bob@far.test\r\n\r\nstop\r\n", PEER
    )
    await api.site.parts.sending_api.returns.work_some()
    assert await key.events(event_types=["unsubscribed"]) == [("unsubscribed", "bob@far.test")]


async def test_a_mailbox_of_ours_unsubscribes_by_mail_too(api: Api) -> None:
    key = await with_settings(api, **FOOTER)
    await key.send(to=["bob@inbox.test"], html_body=HTML)
    await key.deliver()
    (content,) = await key.received()
    fields = message_from_bytes(content, policy=policy.default)
    address = re.findall(r"mailto:([^>]+)>", "".join(fields["List-Unsubscribe"].split()))[0]
    bob = await api.site.open("bob")
    answer = await api.site.http.post(
        "/api/send_mail",
        json={"to_mail": address, "subject": "stop", "content": "stop"},
        headers=bob.auth,
    )
    assert answer.status_code == 200, answer.text
    await api.deliver()
    await api.site.parts.sending_api.returns.work_some()
    assert await key.events(event_types=["unsubscribed"]) == [("unsubscribed", "bob@inbox.test")]
    assert await key.received(address) == []


async def test_a_senders_own_field_is_left_alone(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, **FOOTER)
    own = {"header": "List-Unsubscribe", "value": "<https://shop.test/stop>"}
    await send(key, custom_headers=[own])
    section = hop.taken[0].content.split(b"\r\n\r\n")[0]
    assert section.count(b"List-Unsubscribe:") == 1
    assert b"<https://shop.test/stop>" in section


@pytest.mark.parametrize("token", ["", "x", "a" * 37])
async def test_nobody_is_unsubscribed_by_a_link_that_is_not_ours(api: Api, token: str) -> None:
    for method in ("GET", "POST"):
        answer = await api.site.http.request(method, f"/t/u/{token}")
        assert answer.status_code == 404


async def test_a_strange_form_breaks_nothing(api: Api, hop: NextHop) -> None:
    key = await with_settings(api, **FOOTER)
    await send(key)
    path = path_of(await unsubscribe_link(hop))
    answer = await api.site.http.post(path, content=b"&".join([b"a=1"] * 100))
    assert answer.status_code == 200
    assert (await api.site.http.post(path, content=b"x" * 5_000)).status_code == 413


async def test_where_somebody_looked_is_told_when_a_database_is_there(
    tmp_path: Path, hop: NextHop, receiver: Receiver
) -> None:
    """`geoip-…` (§6.3) to webhooks, and beside the event in activity."""
    file = tmp_path / "city.mmdb"
    berlin = {
        "continent": {"code": "EU"},
        "country": {"iso_code": "DE"},
        "city": {"names": {"en": "Berlin"}},
    }
    write_places(file, {"203.0.113.0/24": berlin})
    async with serving_api(
        tmp_path,
        sending_rate=0,
        outbound="relay",
        relay_url=f"smtp://127.0.0.1:{hop.port}",
        tracking_url="https://track.test",
        geoip_database=str(file),
    ) as api:
        key = await with_settings(api, open_tracking_enabled=True)
        await key.data(
            "webhook/add", {"url": receiver.url, "events": ["open"], "output_format": "json"}
        )
        await send(key)
        (picture,) = re.findall(r'<img src="([^"]+)"', bodies(hop.taken[0].content)[0])
        async with api.site.client("203.0.113.9") as reader:
            await reader.get(path_of(picture))
        while not receiver.got:
            await api.site.parts.sending_api.reporting.report()
            await api.site.parts.notifying.start_some()
            await api.site.parts.notifying.settled()
        told = json.loads(receiver.got[0].body)
        expected = {"geoip-continent": "EU", "geoip-country": "DE", "geoip-city": "Berlin"}
        assert {name: told.get(name) for name in expected} == expected
        (event,) = (await key.data("activity/search", {"event_types": ["opened"]}))["events"]
        assert event["metadata"] == expected


async def recipients_of(api: Api) -> dict[str, tuple[str, int]]:
    """State and attempts of each recipient in the queue."""

    async def unit(tx: Transaction) -> dict[str, tuple[str, int]]:
        rows = await tx.fetch_all("SELECT recipient, state, attempts FROM recipients", {})
        return {str(name): (str(state), int(attempts)) for name, state, attempts in rows}

    return await api.site.parts.database.read(unit)


PEOPLE = ("slow@far.test", "bob@far.test", "eve@far.test")


async def test_copies_behind_a_slow_one_are_leased_anew_and_sent_once(
    api: Api, hop: NextHop, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await with_settings(api, open_tracking_enabled=True)
    await key.send(to=list(PEOPLE), html_body=HTML)
    waited = [0]
    delivering = api.site.parts.delivering
    for part in (delivering, delivering.attempting):
        monkeypatch.setattr(part, "_clock", lambda: now_micros() + waited[0])
    working = asyncio.ensure_future(api.deliver())
    await hop.waiting.wait()
    waited[0] = 6 * 60_000_000
    hop.release.set()
    await working
    assert sorted(one.recipients[0] for one in hop.taken) == sorted(PEOPLE)
    assert await recipients_of(api) == dict.fromkeys(PEOPLE, ("delivered", 1))


async def test_a_stop_gives_back_the_copies_that_were_not_begun(api: Api, hop: NextHop) -> None:
    """Hazard 56: only the one that was cut off waits for the end of its lease."""
    key = await with_settings(api, open_tracking_enabled=True)
    await key.send(to=list(PEOPLE), html_body=HTML)
    working = asyncio.ensure_future(api.deliver())
    await hop.waiting.wait()
    await api.site.parts.delivering.drain(0.01)
    await working
    found = await recipients_of(api)
    assert found.pop("slow@far.test") == ("sending", 1)
    sent = {one.recipients[0] for one in hop.taken}
    assert found == {one: ("delivered", 1) if one in sent else ("queued", 0) for one in PEOPLE[1:]}
