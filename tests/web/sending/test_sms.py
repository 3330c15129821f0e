"""Short messages (sending-api §11): without a gateway, through an HTTP gateway on a real socket
(simulators of what people run), and through SMPP."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mailbox_service.core.sms import number_of, units_of
from tests.nexthop import NextHop
from tests.nexthop import running as running_hop
from tests.smsc_simulator import Smsc
from tests.smsc_simulator import running as running_smsc
from tests.web.sending.conftest import Api, serving_api
from tests.web.site import until
from tests.webhook_receiver import Receiver, receiving

pytestmark = pytest.mark.anyio

TEXT = {"destination": ["+491701234567"], "content": "Your code is 482913"}


def said(status: str, body: str) -> bytes:
    """One answer of a gateway."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()


@asynccontextmanager
async def http_api(
    folder: Path, gateway: Receiver, preset: str = "", **settings: Any
) -> AsyncIterator[Api]:
    async with serving_api(
        folder,
        sms_gateway="http",
        sms_preset=preset,
        sms_url=f"http://127.0.0.1:{gateway.port}/send",
        sms_username="shop",
        sms_password="open sesame",
        sms_sender="+4930123456",
        sms_private_addresses=True,
        frontend_url="https://mail.test",
        **settings,
    ) as api:
        yield api


async def hand_over(api: Api) -> None:
    while await api.site.parts.sending_api.sms_handing_over.hand_over_some():
        pass


async def tell(api: Api, fields: dict[str, str] | None = None, **more: str) -> int:
    """A callback of the gateway; its status."""
    callback = urlsplit(api.site.parts.sending_api.sms_handing_over.callback)
    query = "".join(f"&{name}={value}" for name, value in more.items())
    answer = await api.site.http.post(f"{callback.path}?{callback.query}{query}", data=fields or {})
    return answer.status_code


async def states(api: Api) -> list[str]:
    found = await api.data("sms/view-sent")
    return [one["state"] for one in found["messages"]]


# Without a gateway.


async def test_without_a_gateway_it_is_said_so_and_the_rest_works(api: Api) -> None:
    answer = await api.post("sms/send", TEXT)
    assert answer.status_code == 402
    data = answer.json()["data"]
    assert data["error"] == "SMS sending is not configured on this server"
    assert data["error_code"] == "E_ApiResponseCodes.API_EXCEPTION"
    for path in ("sms/view-sent", "sms/sent", "sms/view-received", "sms/received"):
        answer = await api.post(path)
        body = answer.json()
        assert body["data"]["messages"] == []
        assert body["data"]["request_id"] == body["request_id"]
    found = await api.data("sms/summary")
    assert (found["total_messages"], found["total_units"], found["total_cost"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("unix_start", -(2**63) - 1), ("unix_end", 2**63), ("unix_end", "9" * 400),
     ("start_date", "soon"), ("end_date", "later")],
)  # fmt: skip
async def test_a_time_that_is_none_is_named(api: Api, field: str, value: object) -> None:
    for path in ("sms/view-sent", "sms/view-received", "sms/summary"):
        got = await api.refused(path, {field: value})
        assert got == (400, "NON_VALIDATING_IN_PAYLOAD", field)


# The dialects of HTTP gateways: what they get, what they say, how they tell.


@pytest.fixture
async def gateway() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_kannel(tmp_path: Path, gateway: Receiver) -> None:
    gateway.answers = [said("202 Accepted", "0: Accepted for delivery")]
    async with http_api(tmp_path, gateway, "kannel") as api:
        sent = await api.data("sms/send", TEXT)
        await hand_over(api)
        asked = gateway.got[0]
        fields = parse_qs(urlsplit(asked.path).query)
        assert asked.method == "GET"
        assert fields["username"] == ["shop"]
        assert fields["to"] == ["+491701234567"]
        assert fields["text"] == [TEXT["content"]]
        assert fields["dlr-mask"] == ["31"]
        report = fields["dlr-url"][0]
        message_id = sent["messages"][0]["message_id"]
        assert report.startswith("https://mail.test/sms/callback?key=")
        assert report.endswith(f"&id={message_id}&status=%d")
        assert await states(api) == ["submitted"]
        path = report.removeprefix("https://mail.test").replace("%d", "1")
        assert (await api.site.http.get(path)).status_code == 200
        assert await states(api) == ["delivered"]


async def test_jasmin(tmp_path: Path, gateway: Receiver) -> None:
    gateway.answers = [said("200 OK", 'Success "07033084-5cfd"')]
    async with http_api(tmp_path, gateway, "jasmin") as api:
        await api.data("sms/send", TEXT)
        await hand_over(api)
        fields = parse_qs(gateway.got[0].text)
        assert fields["content"] == [TEXT["content"]]
        assert fields["dlr-level"] == ["3"]
        callback = urlsplit(api.site.parts.sending_api.sms_handing_over.callback)
        answer = await api.site.http.post(
            f"{callback.path}?{callback.query}",
            data={"id": "07033084-5cfd", "message_status": "UNDELIV", "level": "3"},
        )
        assert answer.text == "ACK/Jasmin"
        assert await states(api) == ["failed"]


async def test_twilio(tmp_path: Path, gateway: Receiver) -> None:
    gateway.answers = [said("201 Created", '{"sid": "SM1", "status": "queued"}')]
    async with http_api(tmp_path, gateway, "twilio") as api:
        await api.data("sms/send", TEXT)
        await hand_over(api)
        asked = gateway.got[0]
        login = base64.b64encode(b"shop:open sesame").decode()
        assert asked.headers["authorization"] == f"Basic {login}"
        fields = parse_qs(asked.text)
        assert fields["From"] == ["+4930123456"]
        assert fields["Body"] == [TEXT["content"]]
        await tell(api, {"MessageSid": "SM1", "MessageStatus": "delivered"})
        assert await states(api) == ["delivered"]
        await tell(
            api,
            {"MessageSid": "SM2", "From": "+491701234567", "To": "+4930123456", "Body": "Thanks"},
        )
        (got,) = (await api.data("sms/view-received"))["messages"]
        assert (got["source_address"], got["content"]) == ("+491701234567", "Thanks")
        assert got["destination_address"] == "+4930123456"


async def test_android(tmp_path: Path, gateway: Receiver) -> None:
    gateway.answers = [said("202 Accepted", '{"id": "PyDmBQZZ", "state": "Pending"}')]
    async with http_api(tmp_path, gateway, "android") as api:
        await api.data("sms/send", TEXT)
        await hand_over(api)
        asked = json.loads(gateway.got[0].body)
        assert asked["textMessage"] == {"text": TEXT["content"]}
        assert asked["phoneNumbers"] == TEXT["destination"]
        callback = urlsplit(api.site.parts.sending_api.sms_handing_over.callback)
        for event in (
            {"event": "sms:delivered", "payload": {"messageId": "PyDmBQZZ"}},
            {
                "event": "sms:received",
                "payload": {"messageId": "x", "phoneNumber": "+491701234567", "message": "Hi"},
            },
        ):
            answer = await api.site.http.post(f"{callback.path}?{callback.query}", json=event)
            assert answer.status_code == 200
        assert await states(api) == ["delivered"]
        assert len((await api.data("sms/view-received"))["messages"]) == 1


async def test_a_gateway_of_ones_own_words(tmp_path: Path, gateway: Receiver) -> None:
    gateway.answers = [said("200 OK", '{"result": [{"ref": 77}]}')]
    async with http_api(
        tmp_path,
        gateway,
        sms_format="form",
        sms_basic_auth=True,
        sms_fields={"to": "number", "text": "msg", "callback": "report", "from": "origin"},
        sms_answer_id="result.0.ref",
    ) as api:
        await api.data("sms/send", TEXT)
        await hand_over(api)
        fields = parse_qs(gateway.got[0].text)
        assert fields["number"] == TEXT["destination"]
        assert fields["msg"] == [TEXT["content"]]
        assert "/sms/callback?key=" in fields["report"][0]
        await tell(api, {"id": "77", "status": "DELIVRD"})
        assert await states(api) == ["delivered"]


async def test_a_gateway_that_gives_its_id_sometimes_takes_messages_always(
    tmp_path: Path, gateway: Receiver
) -> None:
    gateway.answers = [said("200 OK", "Queued"), said("200 OK", "Queued as 77")]
    async with http_api(tmp_path, gateway, sms_answer_id=r"re:Queued(?: as (\d+))?") as api:
        for _ in range(2):
            await api.data("sms/send", TEXT)
            await hand_over(api)
        assert await states(api) == ["submitted", "submitted"]
        await tell(api, {"id": "77", "status": "DELIVRD"})
        assert sorted(await states(api)) == ["delivered", "submitted"]


async def test_a_pattern_that_is_none_is_told_at_the_start(
    tmp_path: Path, gateway: Receiver
) -> None:
    with pytest.raises(ValueError, match=r"^sms_answer_id: not a regular expression"):
        async with http_api(tmp_path, gateway, sms_answer_id="re:id=("):
            pass


# Answer of the gateway -> state after the first attempt.
TROUBLE = [
    (said("400 Bad Request", "no"), "failed"),
    (said("401 Unauthorized", "who"), "failed"),
    (said("429 Too Many Requests", "slow"), "queued"),
    (said("503 Service Unavailable", "later"), "queued"),
]


@pytest.mark.parametrize(("answer", "state"), TROUBLE)
async def test_a_gateway_that_says_no(
    tmp_path: Path, gateway: Receiver, answer: bytes, state: str
) -> None:
    gateway.answers = [answer]
    async with http_api(tmp_path, gateway) as api:
        await api.data("sms/send", TEXT)
        await hand_over(api)
        assert await states(api) == [state]


async def test_private_gateways_are_refused_unless_allowed(
    tmp_path: Path, gateway: Receiver
) -> None:
    """Hazard 40."""
    async with serving_api(
        tmp_path, sms_gateway="http", sms_url=f"http://127.0.0.1:{gateway.port}/"
    ) as api:
        await api.data("sms/send", TEXT)
        await hand_over(api)
        assert gateway.connections == 0


# The routes.


@pytest.fixture
async def api_with(tmp_path: Path, gateway: Receiver) -> AsyncIterator[Api]:
    async with http_api(tmp_path, gateway, sms_price=75_000) as running:
        yield running


async def test_the_other_names_of_the_fields(api_with: Api) -> None:
    sent = await api_with.data("sms/send", {"to": "00491701234567", "message": "Hi"})
    assert sent["statuses"] == {"queued": 1}
    assert sent["total_sent"] == 1
    assert sent["messages"][0]["destination"] == "+491701234567"


async def test_a_number_twice_is_sent_once_and_a_bad_one_fails_alone(api_with: Api) -> None:
    sent = await api_with.data(
        "sms/send",
        {"destination": ["+491701234567", "491701234567", "nonsense"], "content": "Hi"},
    )
    assert [one["status"] for one in sent["messages"]] == ["queued", "failed"]
    assert sent["total_sent"] == 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"destination": []}, "destination"),
    ({"destination": ["x"]}, "destination"),
    ({"destination": [f"+49170{n:07}" for n in range(101)]}, "destination"),
    ({"content": ""}, "content"),
    ({"content": "x" * 1_531}, "content"),
    ({"sender": "nobody"}, "sender"),
]


@pytest.mark.parametrize(("fields", "field"), BAD)
async def test_what_makes_no_message_is_refused(
    api_with: Api, fields: dict[str, Any], field: str
) -> None:
    refused = await api_with.refused("sms/send", {**TEXT, **fields})
    assert refused == (400, "NON_VALIDATING_IN_PAYLOAD", field)


async def test_sums_count_units_and_their_price(api_with: Api) -> None:
    await api_with.data("sms/send", {**TEXT, "content": "x" * 161})
    found = await api_with.data("sms/summary")
    assert (found["total_messages"], found["total_units"]) == (1, 2)
    assert found["total_cost"] == 0.15
    assert found["gateway"] == "http"
    (one,) = (await api_with.data("sms/view-sent"))["messages"]
    assert (one["format"], one["units"]) == ("SMS", 2)


async def test_the_same_key_sends_once(api_with: Api, gateway: Receiver) -> None:
    """Hazard 42."""
    answers = await asyncio.gather(
        *(api_with.post("sms/send", TEXT, **{"Idempotency-Key": "k"}) for _ in range(10))
    )
    # Those that came while the first was running are told so (§2.1).
    assert {answer.status_code for answer in answers} <= {200, 409}
    answers = [answer for answer in answers if answer.status_code == 200]
    answers.append(await api_with.post("sms/send", TEXT, **{"Idempotency-Key": "k"}))
    assert len({answer.json()["data"]["messages"][0]["message_id"] for answer in answers}) == 1
    other = await api_with.post(
        "sms/send", {**TEXT, "content": "other"}, **{"Idempotency-Key": "k"}
    )
    assert other.status_code == 409
    await hand_over(api_with)
    assert len(gateway.got) == 1


async def test_a_message_survives_a_restart(tmp_path: Path, gateway: Receiver) -> None:
    async with http_api(tmp_path, gateway) as api:
        await api.data("sms/send", TEXT)
    async with http_api(tmp_path, gateway) as api:
        await hand_over(api)
        assert await states(api) == ["submitted"]
    assert len(gateway.got) == 1


async def test_beyond_the_plan_messages_are_held(tmp_path: Path, gateway: Receiver) -> None:
    async with http_api(tmp_path, gateway, sms_limit=1) as api:
        first = await api.data("sms/send", TEXT)
        second = await api.data("sms/send", TEXT)
        assert first["statuses"] == {"queued": 1}
        assert second["statuses"] == {"held": 1}
        await hand_over(api)
    assert len(gateway.got) == 1


async def test_who_says_stop_gets_no_more(api_with: Api, gateway: Receiver) -> None:
    await api_with.data("sms/send", TEXT)
    await hand_over(api_with)
    await tell(api_with, {"from": "491701234567", "to": "4930123456", "text": " Stop. "})
    sent = await api_with.data("sms/send", TEXT)
    assert sent["statuses"] == {"rejected": 1}
    await hand_over(api_with)
    assert len(gateway.got) == 1


async def test_a_sandbox_reaches_nobody(api_with: Api, gateway: Receiver) -> None:
    made = await api_with.data("api_keys/add", {"endpoints": ["*"], "status": "sandbox"})
    sent = await Api(api_with.site, made[0]["api_key"]).data("sms/send", TEXT)
    assert sent["statuses"] == {"rejected": 1}
    await hand_over(api_with)
    assert gateway.got == []


async def test_a_subaccount_needs_to_be_enabled(api_with: Api) -> None:
    for enabled, status in ((False, 402), (True, 200)):
        made = await api_with.data("subaccount/add", {"fullname": "x", "enable_sms": enabled})
        answer = await api_with.post("sms/send", {**TEXT, "subaccount_id": made["id"]})
        assert answer.status_code == status, answer.text


# Callbacks.


async def test_nobody_tells_without_the_secret(api_with: Api) -> None:
    """Hazard 37."""
    sent = await api_with.data("sms/send", TEXT)
    message_id = sent["messages"][0]["message_id"]
    for query in ("", "?key=", "?key=wrong", "?key=%C3%A9"):
        for method in ("GET", "POST"):
            answer = await api_with.site.http.request(method, f"/sms/callback{query}", params=None)
            assert answer.status_code == 401
    assert await tell(api_with, {"status": "delivered"}, id="nobody") == 200
    assert await states(api_with) == ["queued"]
    assert await tell(api_with, {"status": "delivered"}, id=message_id) == 200
    assert await states(api_with) == ["delivered"]


async def test_a_late_receipt_takes_nothing_back(api_with: Api) -> None:
    sent = await api_with.data("sms/send", TEXT)
    message_id = sent["messages"][0]["message_id"]
    await hand_over(api_with)
    for status in ("delivered", "ENROUTE", "failed", "sent"):
        await tell(api_with, {"status": status}, id=message_id)
    assert await states(api_with) == ["delivered"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"a=" * 200, b'{"payload": 1}'])
async def test_a_strange_callback_breaks_nothing(api_with: Api, body: bytes) -> None:
    callback = urlsplit(api_with.site.parts.sending_api.sms_handing_over.callback)
    answer = await api_with.site.http.post(f"{callback.path}?{callback.query}", content=body)
    assert answer.status_code in (200, 400)


async def test_webhooks_hear_of_every_step(api_with: Api) -> None:
    async with receiving() as hook:
        await api_with.data(
            "webhook/add",
            {
                "url": hook.url,
                "sms_events": ["sending", "submitted", "delivered", "opt-out"],
                "output_format": "json",
            },
        )
        sent = await api_with.data("sms/send", TEXT)
        message_id = sent["messages"][0]["message_id"]
        await hand_over(api_with)
        await tell(api_with, {"status": "delivered"}, id=message_id)
        await tell(api_with, {"from": "+491701234567", "text": "STOP"})
        notifying = api_with.site.parts.notifying
        while await notifying.start_some():
            await notifying.settled()
        await notifying.settled()
        told = [json.loads(one.body) for one in hook.got]
    assert sorted(one["event"] for one in told) == [
        "opt-out",
        "sms_delivered",
        "sms_sending",
        "sms_submitted",
    ]
    assert {one["message_id"] for one in told} == {message_id}
    assert {one["destination_number"] for one in told} == {"+491701234567"}


# By e-mail.


@asynccontextmanager
async def email_api(folder: Path, hop: NextHop, **settings: Any) -> AsyncIterator[Api]:
    async with serving_api(
        folder,
        sms_gateway="email",
        sms_url="mailto:{number}@sms.far.test",
        sms_email_from="phones@inbox.test",
        outbound="relay",
        relay_url=f"smtp://127.0.0.1:{hop.port}",
        **settings,
    ) as api:
        yield api


async def test_a_message_goes_by_mail_to_a_gateway_of_numbers(tmp_path: Path) -> None:
    """Sending-api §11.2: cheap, and without receipts."""
    async with running_hop(NextHop()) as hop, email_api(tmp_path, hop) as api:
        sent = await api.data("sms/send", {**TEXT, "content": "Grüße, your code is 482913"})
        assert sent["statuses"] == {"queued": 1}
        await hand_over(api)
        assert await states(api) == ["submitted"]
        await api.deliver()
        (taken,) = hop.taken
        assert taken.recipients == ("491701234567@sms.far.test",)
        message = message_from_bytes(taken.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        assert (message["From"], message["Auto-Submitted"]) == (
            "phones@inbox.test",
            "auto-generated",
        )
        assert message.get_content_type() == "text/plain"
        assert message.get_content().strip() == "Grüße, your code is 482913"
        assert (await api.data("sms/summary"))["gateway"] == "email"


async def test_what_the_queue_refuses_for_good_fails(tmp_path: Path) -> None:
    async with running_hop(NextHop()) as hop, email_api(tmp_path, hop) as api:
        await api.site.parts.administering.change({"send_block_list": ["@sms.far.test"]})
        await api.data("sms/send", TEXT)
        await hand_over(api)
        assert await states(api) == ["failed"]


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("mailto:sms@far.test", "phones@inbox.test"),
        ("mailto:{number}", "phones@inbox.test"),
        ("mailto:{number}@sms.far.test", ""),
        ("mailto:{number}@sms.far.test", "no address"),
    ],
)
async def test_a_gateway_by_mail_needs_two_addresses(tmp_path: Path, url: str, sender: str) -> None:
    with pytest.raises(ValueError, match="sms_email_from"):
        async with serving_api(tmp_path, sms_gateway="email", sms_url=url, sms_email_from=sender):
            pass


# SMPP.


@asynccontextmanager
async def smpp_api(folder: Path, smsc: Smsc) -> AsyncIterator[Api]:
    async with serving_api(
        folder,
        sms_gateway="smpp",
        sms_url=f"smpp://127.0.0.1:{smsc.port}",
        sms_username="esme",
        sms_password="secret",
        sms_sender="+4930123456",
    ) as api:
        messages = api.site.parts.sending_api.sms_handing_over
        worker = asyncio.create_task(messages.run())
        try:
            gateway: Any = messages.gateway
            await until(lambda: gateway.bound)
            yield api
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


async def until_states(api: Api, wanted: list[str]) -> None:
    async with asyncio.timeout(20):
        while await states(api) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_smpp_carries_messages_and_receipts(tmp_path: Path) -> None:
    async with running_smsc(Smsc()) as smsc, smpp_api(tmp_path, smsc) as api:
        await api.data("sms/send", TEXT)
        await smsc.until("taken", 1)
        (taken,) = smsc.taken
        assert (taken.source, taken.destination) == ("4930123456", "491701234567")
        assert (taken.coding, taken.content) == (0, b"Your code is 482913")
        await until_states(api, ["submitted"])
        await smsc.receipt("1", "DELIVRD")
        await smsc.until("acknowledged", 1)
        assert await states(api) == ["delivered"]
        assert smsc.acknowledged == [0]


async def test_smpp_splits_long_messages_and_other_alphabets(tmp_path: Path) -> None:
    async with running_smsc(Smsc()) as smsc, smpp_api(tmp_path, smsc) as api:
        await api.data("sms/send", {**TEXT, "content": "Привет, это код 4829"})
        await smsc.until("taken", 1)
        assert smsc.taken[0].coding == 8
        assert smsc.taken[0].content.decode("utf-16-be") == "Привет, это код 4829"
        await api.data("sms/send", {**TEXT, "content": "x" * 300})
        await smsc.until("taken", 3)
        assert all(one.with_header for one in smsc.taken[1:])
        assert b"".join(one.content[6:] for one in smsc.taken[1:]) == b"x" * 300
        await until_states(api, ["submitted", "submitted"])


async def test_smpp_hears_of_phones(tmp_path: Path) -> None:
    async with running_smsc(Smsc()) as smsc, smpp_api(tmp_path, smsc) as api:
        await smsc.deliver("491701234567", "4930123456", "Hello")
        await smsc.until("acknowledged", 1)
        (got,) = (await api.data("sms/received"))["messages"]
        assert (got["source_address"], got["content"]) == ("+491701234567", "Hello")


# command_status of the answer -> state.
REFUSALS = [(0x0B, "failed"), (0x58, "queued"), (0x14, "queued")]


@pytest.mark.parametrize(("status", "state"), REFUSALS)
async def test_smpp_refusals(tmp_path: Path, status: int, state: str) -> None:
    async with running_smsc(Smsc(status=status)) as smsc, smpp_api(tmp_path, smsc) as api:
        await api.data("sms/send", TEXT)
        async with asyncio.timeout(20):
            while True:
                (one,) = (await api.data("sms/view-sent"))["messages"]
                if one["error"]:
                    break
                await asyncio.sleep(0.01)
        assert one["state"] == state


async def test_without_a_session_messages_wait(tmp_path: Path) -> None:
    async with serving_api(
        tmp_path, sms_gateway="smpp", sms_url="smpp://127.0.0.1:1", sms_username="x"
    ) as api:
        await api.data("sms/send", TEXT)
        await hand_over(api)
        assert await states(api) == ["queued"]


# Rules.

UNITS = [
    ("x" * 160, 1),
    ("x" * 161, 2),
    ("x" * 306, 2),
    ("x" * 307, 3),
    ("€" * 80, 1),
    ("€" * 81, 2),
    ("я" * 70, 1),
    ("я" * 71, 2),
    ("😀" * 35, 1),
    ("😀" * 36, 2),
]


@pytest.mark.parametrize(("content", "units"), UNITS)
def test_units(content: str, units: int) -> None:
    assert units_of(content) == units


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+49 170 123-4567", "+491701234567"),
        ("00491701234567", "+491701234567"),
        ("491701234567", "+491701234567"),
        ("0170", ""),
        ("+0170123456789", ""),
        ("+1234567890123456", ""),
        ("", ""),
        ("+49170１234567", ""),
    ],
)
def test_numbers(text: str, number: str) -> None:
    assert number_of(text) == number
