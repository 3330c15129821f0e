"""Mail through a server of the caller's (sending-api §12): a real SMTP server on loopback counts
connections and misbehaves by recipient."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mailbox_service.core.own_server import WORDS, Connection, ServerProblem
from mailbox_service.outbound import own_servers
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.own_servers import OwnServers
from mailbox_service.storage import sending_records
from tests.nexthop import Certificate, NextHop, certificate, running
from tests.web.sending.conftest import Api, serving_api
from tests.web.site import ADMIN, SITE_PASSWORD

pytestmark = pytest.mark.anyio

Fields = dict[str, Any]
MAIL: Fields = {"to": "bob@far.test", "subject": "Hello", "text": "How are you?"}


class Caller:
    """Calls the integration endpoints with one key."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def ask(
        self, verb: str, path: str, fields: Fields | None = None, **headers: str
    ) -> httpx2.Response:
        return await self.api.site.http.request(
            verb,
            path,
            content=b"" if fields is None else json.dumps(fields).encode(),
            headers={"X-Smtp2go-Api-Key": self.api.key, **headers},
        )

    async def data(self, verb: str, path: str, fields: Fields | None = None) -> Any:
        answer = await self.ask(verb, path, fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, path: str, fields: Fields | None = None) -> tuple[int, str, str]:
        """Status, code and field of a refusal."""
        answer = await self.ask("POST", path, fields)
        body = answer.json()
        assert body["success"] is False
        assert body["error"]
        return answer.status_code, body["error_code"], body.get("field", "")

    async def connect(self, hop: NextHop, **changes: Any) -> None:
        """Keep the server as the default connection."""
        fields = {
            "host": "127.0.0.1",
            "port": hop.port,
            "use_tls": False,
            "from_address": "shop@own.test",
            "from_name": "The Shop",
            **changes,
        }
        await self.data("PUT", "/smtp-connections/default", fields)

    async def go(self) -> None:
        """Let what is queued go out."""
        await self.api.site.parts.integrating.queue.settled()


@asynccontextmanager
async def calling(folder: Path, **settings: Any) -> AsyncIterator[Caller]:
    async with serving_api(
        folder, **{"smtp_private_hosts": ["127.0.0.1", "localhost"], **settings}
    ) as api:
        yield Caller(api)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with calling(tmp_path) as running_caller:
        yield running_caller


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with running(NextHop()) as server:
        yield server


# /send-email


async def test_a_mail_is_queued_and_goes_through_the_server(caller: Caller, hop: NextHop) -> None:
    await caller.connect(hop)
    queued = await caller.data(
        "POST",
        "/send-email",
        {**MAIL, "html": "<b>How</b>", "reply_to": "desk@own.test", "cc": ["Cy <cy@far.test>"]},
    )
    assert queued["success"] is True
    assert queued["status"] == "queued"
    assert queued["id"].startswith("msg_")
    assert queued["queued_at"].endswith("Z")
    assert queued["recipients"] == 2
    state = await caller.data("GET", f"/send-email/{queued['id']}")
    assert (state["status"], state["attempts"]) == ("queued", 0)
    await caller.go()
    state = await caller.data("GET", f"/send-email/{queued['id']}")
    assert (state["status"], state["attempts"]) == ("sent", 1)
    assert state["sent_at"].endswith("Z")
    (taken,) = hop.taken
    assert taken.reverse_path == "shop@own.test"
    assert taken.recipients == ("bob@far.test", "cy@far.test")
    message = message_from_bytes(taken.content, policy=policy.default)
    assert message["From"] == "The Shop <shop@own.test>"
    assert message["Reply-To"] == "desk@own.test"
    assert message.get_content_type() == "multipart/alternative"


async def test_a_mail_is_sent_before_its_server_has_said_goodbye(
    caller: Caller, hop: NextHop
) -> None:
    """A stop while a slow server is taken leave of would otherwise send it again."""
    await caller.connect(hop)
    hop.slow_to_leave = True
    queued = await caller.data("POST", "/send-email", MAIL)
    going = asyncio.ensure_future(caller.go())
    await hop.waiting.wait()
    state = await caller.data("GET", f"/send-email/{queued['id']}")
    assert (state["status"], state["attempts"]) == ("sent", 1)
    hop.release.set()
    await going
    assert len(hop.taken) == 1


# Every name of the connector's action (§12.6): fields, and who gets the mail.
NAMES: list[tuple[Fields, tuple[str, ...]]] = [
    ({"to": ["a@far.test", "b@far.test"]}, ("a@far.test", "b@far.test")),
    ({"to_address": "a@far.test, B <b@far.test>"}, ("a@far.test", "b@far.test")),
    ({"dynamic_to_address": ["a@far.test"]}, ("a@far.test",)),
    ({"dynamic_to_address": '["a@far.test", "b@far.test"]'}, ("a@far.test", "b@far.test")),
    ({"to": "a@far.test", "to_address": "A@FAR.test"}, ("a@far.test", "A@far.test")),
    ({"to": "a@far.test", "dynamic_to_address": ["a@far.test"]}, ("a@far.test",)),
    ({"cc_address": "c@far.test"}, ("c@far.test",)),
    ({"cc_address_json": ["c@far.test", "d@far.test"]}, ("c@far.test", "d@far.test")),
    ({"bcc_address": "e@far.test"}, ("e@far.test",)),
    ({"bcc_address_json": '["e@far.test"]'}, ("e@far.test",)),
]


@pytest.mark.parametrize(("fields", "recipients"), NAMES)
async def test_every_name_of_the_recipients_is_understood(
    caller: Caller, hop: NextHop, fields: Fields, recipients: tuple[str, ...]
) -> None:
    await caller.connect(hop)
    await caller.data("POST", "/send-email", {"subject": "s", "text": "t", **fields})
    await caller.go()
    assert hop.taken[0].recipients == tuple(dict.fromkeys(one.lower() for one in recipients))
    if any(name.startswith("bcc") for name in fields):
        assert b"e@far.test" not in hop.taken[0].content


FILE = base64.b64encode(b"%PDF-1.7").decode()
FILES: list[Fields] = [
    {"attachments": [{"filename": "a.pdf", "content": FILE}]},
    {"attachments": [{"filename": "a.pdf", "content": FILE, "mimetype": "application/pdf"}]},
    {"attachments": {"a.pdf": FILE}},
    {"multiple_attachments": [{"filename": "a.pdf", "content": FILE}]},
]


@pytest.mark.parametrize("fields", FILES)
async def test_files_come_in_every_form(caller: Caller, hop: NextHop, fields: Fields) -> None:
    await caller.connect(hop)
    await caller.data("POST", "/send-email", {**MAIL, **fields})
    await caller.go()
    message = message_from_bytes(hop.taken[0].content, policy=policy.default)
    (file,) = message.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("a.pdf", "application/pdf")
    assert file.get_content() == b"%PDF-1.7"


BAD: list[tuple[Fields, tuple[int, str, str]]] = [
    ({"to": None}, (400, "invalid_field", "to")),
    ({"to": []}, (400, "invalid_field", "to")),
    ({"to": "nobody"}, (400, "invalid_field", "to")),
    ({"to": [1]}, (400, "invalid_field", "to")),
    ({"to": [f"u{n}@far.test" for n in range(51)]}, (400, "invalid_field", "to")),
    ({"cc": [f"u{n}@far.test" for n in range(50)]}, (400, "invalid_field", "to")),
    ({"subject": None}, (400, "invalid_field", "subject")),
    ({"text": None}, (400, "invalid_field", "text")),
    ({"text": 1}, (400, "invalid_field", "text")),
    ({"from": "a@x.test, b@x.test"}, (400, "invalid_field", "from")),
    ({"reply_to": "x\r\nBcc: y@far.test"}, (400, "invalid_field", "reply_to")),
    ({"to": "Bob\r\nBcc: y <bob@far.test>"}, (400, "invalid_field", "to")),
    ({"attachments": [{"content": FILE}]}, (400, "invalid_field", "attachments")),
    ({"attachments": [{"filename": "a", "content": "!"}]}, (400, "invalid_field", "attachments")),
    (
        {"attachments": [{"filename": "a\r\nX: y", "content": FILE}]},
        (400, "invalid_field", "attachments"),
    ),
    (
        {"attachments": [{"filename": "a", "url": "http://far.test/a"}]},
        (400, "invalid_field", "attachments"),
    ),
    ({"connection": {"host": "far.test"}}, (400, "invalid_field", "connection")),
    ({"connection": "nowhere"}, (402, "not_configured", "")),
]


@pytest.mark.parametrize(("fields", "refusal"), BAD)
async def test_what_makes_no_mail_is_refused(
    caller: Caller, hop: NextHop, fields: Fields, refusal: tuple[int, str, str]
) -> None:
    """Hazard 43 among others."""
    await caller.connect(hop)
    assert await caller.refused("/send-email", {**MAIL, **fields}) == refusal
    await caller.go()
    assert hop.connections == 0


async def test_a_line_end_in_the_subject_makes_no_header(caller: Caller, hop: NextHop) -> None:
    """Hazard 43."""
    await caller.connect(hop)
    answer = await caller.ask("POST", "/send-email", {**MAIL, "subject": "a\r\nBcc: e@far.test"})
    assert answer.status_code == 400


async def test_fifty_recipients_are_taken(caller: Caller, hop: NextHop) -> None:
    await caller.connect(hop)
    fields = {**MAIL, "to": [f"u{n}@far.test" for n in range(50)]}
    assert (await caller.data("POST", "/send-email", fields))["recipients"] == 50


async def test_without_a_connection_it_is_said_so(caller: Caller) -> None:
    for path, fields in (
        ("/send-email", MAIL),
        ("/send-emails", {"emails": [MAIL]}),
        ("/test-connection", {}),
    ):
        answer = await caller.ask("POST", path, fields)
        assert answer.status_code == 402
        assert answer.json()["error"] == "SMTP connection is not configured"


# The local part of the recipient -> state, attempts, error code.
FATES = [
    ("refused", "failed", "recipient_refused"),
    ("refused-dot", "failed", "message_refused"),
    ("deferred", "queued", "recipient_refused"),
    ("deferred-dot", "queued", "message_refused"),
    ("closing", "queued", "server_busy"),
    ("dropped", "queued", "disconnected"),
]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("530 5.7.0 Authentication required", "auth_required"),
        ("550 5.7.1 Not from you", "sender_refused"),
    ],
)
async def test_a_sender_that_the_server_does_not_take(
    caller: Caller, hop: NextHop, reply: str, code: str
) -> None:
    hop.mail_reply = reply
    await caller.connect(hop)
    told = await caller.data("POST", "/send-emails", {"emails": [MAIL]})
    (result,) = told["results"]
    assert (result["status"], result["error_code"]) == ("failed", code)
    assert result["smtp_code"] == int(reply[:3])
    assert result["error"] == WORDS[code]


@pytest.mark.parametrize(("name", "state", "code"), FATES)
async def test_what_the_server_says_is_told(
    caller: Caller, hop: NextHop, name: str, state: str, code: str
) -> None:
    await caller.connect(hop)
    queued = await caller.data("POST", "/send-email", {**MAIL, "to": f"{name}@far.test"})
    await caller.go()
    told = await caller.data("GET", f"/send-email/{queued['id']}")
    assert (told["status"], told["attempts"], told["error_code"]) == (state, 1, code)
    assert told["error"].startswith(WORDS[code][:-1])


async def test_refused_recipients_do_not_keep_the_others_from_it(
    caller: Caller, hop: NextHop
) -> None:
    await caller.connect(hop)
    queued = await caller.data(
        "POST", "/send-email", {**MAIL, "to": ["bob@far.test", "refused@far.test"]}
    )
    await caller.go()
    told = await caller.data("GET", f"/send-email/{queued['id']}")
    assert told["status"] == "sent"
    assert told["rejected"] == {"refused@far.test": "550 5.1.1 No such user"}


async def test_the_same_key_queues_once_and_another_body_conflicts(
    caller: Caller, hop: NextHop
) -> None:
    """Hazard 42."""
    await caller.connect(hop)
    answers = await asyncio.gather(
        *(caller.ask("POST", "/send-email", MAIL, **{"Idempotency-Key": "k"}) for _ in range(10))
    )
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await caller.ask(
        "POST", "/send-email", {**MAIL, "subject": "x"}, **{"Idempotency-Key": "k"}
    )
    assert (other.status_code, other.json()["error_code"]) == (409, "conflict")
    await caller.go()
    assert len(hop.taken) == 1


async def test_a_queued_mail_survives_a_restart(tmp_path: Path, hop: NextHop) -> None:
    async with calling(tmp_path) as caller:
        await caller.connect(hop)
        await caller.data("POST", "/send-email", MAIL)
    async with calling(tmp_path) as caller:
        await caller.go()
    assert len(hop.taken) == 1


async def test_the_worker_sends_by_itself(caller: Caller, hop: NextHop) -> None:
    await caller.connect(hop)
    worker = asyncio.create_task(caller.api.site.parts.integrating.queue.run())
    try:
        await caller.data("POST", "/send-email", MAIL)
        await hop.wait_for(1)
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


# /send-emails


async def test_fifty_mails_go_over_one_connection(caller: Caller, hop: NextHop) -> None:
    await caller.connect(hop)
    mails = [{**MAIL, "subject": f"Mail {n}"} for n in range(50)]
    told = await caller.data("POST", "/send-emails", {"emails": mails})
    assert (told["success"], told["total"], told["sent"], told["failed"]) == (True, 50, 50, 0)
    assert told["connections"] == hop.connections == 1
    assert [one["index"] for one in told["results"]] == list(range(50))
    assert told["results"][0]["to"] == ["bob@far.test"]
    assert told["results"][0]["response"].startswith("2.0.0")
    assert len(hop.taken) == 50
    assert isinstance(told["duration_ms"], int)


@pytest.mark.parametrize("emails", [[], [MAIL] * 51, "x", None, {"a": 1}])
async def test_no_list_no_mail(caller: Caller, hop: NextHop, emails: Any) -> None:
    await caller.connect(hop)
    refusal = await caller.refused("/send-emails", {"emails": emails})
    assert refusal == (400, "invalid_field", "emails")
    assert hop.connections == 0


async def test_one_that_is_refused_in_the_middle_leaves_the_session_usable(
    caller: Caller, hop: NextHop
) -> None:
    await caller.connect(hop)
    told = await caller.data(
        "POST",
        "/send-emails",
        {
            "emails": [
                MAIL,
                {**MAIL, "to": "refused@far.test"},
                {"subject": "nobody", "text": "x"},
                {**MAIL, "to": ["bob@far.test", "refused@far.test"]},
                {**MAIL, "to": "refused-dot@far.test"},
                MAIL,
            ]
        },
    )
    statuses = [one["status"] for one in told["results"]]
    assert statuses == ["sent", "failed", "failed", "partial", "failed", "sent"]
    # What reached some of its recipients was sent.
    assert (told["success"], told["sent"], told["failed"]) == (False, 3, 3)
    refused = told["results"][1]
    assert (refused["error_code"], refused["smtp_code"]) == ("recipient_refused", 550)
    assert refused["error"] == "All recipients were refused."
    assert refused["smtp_response"] == "550 5.1.1 No such user"
    assert told["results"][2]["error_code"] == "invalid_mail"
    assert told["results"][3]["rejected"] == {"refused@far.test": "550 5.1.1 No such user"}
    assert (told["results"][4]["error_code"], told["results"][4]["smtp_code"]) == (
        "message_refused",
        554,
    )
    assert told["connections"] == hop.connections == 1


async def test_a_dropped_connection_is_opened_once_more(caller: Caller, hop: NextHop) -> None:
    await caller.connect(hop)
    hop.close_after = 2
    told = await caller.data("POST", "/send-emails", {"emails": [MAIL] * 5})
    statuses = [one["status"] for one in told["results"]]
    assert statuses == ["sent", "sent", "sent", "sent", "failed"]
    assert told["connections"] == hop.connections == 2
    assert told["results"][4]["error_code"] in ("server_busy", "disconnected")


async def test_when_nobody_is_there_every_mail_fails_with_the_same_words(caller: Caller) -> None:
    hop = NextHop(port=free_port())
    await caller.connect(hop)
    told = await caller.data("POST", "/send-emails", {"emails": [MAIL, MAIL]})
    assert [one["error_code"] for one in told["results"]] == ["connection_refused"] * 2
    assert (told["success"], told["failed"]) == (False, 2)


# /test-connection


async def test_a_good_connection_is_tested_without_a_mail(caller: Caller, hop: NextHop) -> None:
    hop.login = ("shop", "open sesame")
    await caller.connect(hop, username="shop", password="open sesame")
    told = await caller.data("POST", "/test-connection")
    assert told.pop("duration_ms") >= 0
    assert told == {"success": True, "host": "127.0.0.1", "port": hop.port, "auth": True}
    assert hop.commands[-1] == "QUIT"
    assert not any(line.startswith("MAIL") for line in hop.commands)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("own"), "localhost")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("foreign"), "elsewhere.test")


# What the server is like, what the connection says, and the code of §12.5.
TROUBLE: list[tuple[dict[str, Any], Fields, str]] = [
    ({"login": ("shop", "x")}, {"username": "shop", "password": "wrong"}, "auth_failed"),
    ({}, {"username": "shop", "password": "x"}, "auth_unsupported"),
    ({}, {"use_tls": True}, "starttls_unsupported"),
    ({"greeting": "421 4.3.2 Too busy"}, {}, "server_busy"),
    ({"greeting": "554 5.7.1 Not you"}, {}, "server_refused"),
]


@pytest.mark.parametrize(("server", "fields", "code"), TROUBLE)
async def test_every_trouble_has_its_words(
    caller: Caller, server: dict[str, Any], fields: Fields, code: str
) -> None:
    async with running(NextHop(**server)) as hop:
        await caller.connect(hop, **fields)
        told = await caller.data("POST", "/test-connection")
    assert (told["success"], told["error_code"]) == (False, code)
    assert told["error"] == WORDS[code]


async def test_nobody_listens(caller: Caller) -> None:
    await caller.connect(NextHop(port=free_port()))
    told = await caller.data("POST", "/test-connection")
    assert told["error_code"] == "connection_refused"


async def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    async with calling(tmp_path, name_servers=[f"127.0.0.1:{free_port()}"]) as caller:
        await caller.connect(NextHop(port=587), host="nowhere.invalid")
        told = await caller.data("POST", "/test-connection")
    assert told["error_code"] == "dns_error"


async def test_self_signed_is_accepted_only_with_the_option(
    caller: Caller, own: Certificate
) -> None:
    async with running(NextHop(tls=own.server)) as hop:
        await caller.connect(hop, use_tls=True, host="localhost")
        told = await caller.data("POST", "/test-connection")
        assert told["error_code"] == "cert_self_signed"
        await caller.connect(hop, use_tls=True, host="localhost", ignore_self_signed=True)
        told = await caller.data("POST", "/test-connection")
        assert told["success"] is True
        assert told["tls"].startswith("TLSv1.")


def servers(tls: ssl.SSLContext | None = None, seconds: float = 10.0) -> OwnServers:
    return OwnServers(
        Resolver(),
        "me.test",
        private_hosts=["localhost", "127.0.0.1"],
        tls=tls,
        step_seconds=seconds,
    )


async def test_a_certificate_of_another_name(foreign: Certificate) -> None:
    async with running(NextHop(tls=foreign.server)) as hop:
        with pytest.raises(ServerProblem) as caught:
            await servers(foreign.client).open(Connection(host="localhost", port=hop.port), "")
    assert caught.value.code == "cert_hostname"


async def test_a_certificate_that_has_ended(tmp_path: Path) -> None:
    old = certificate(tmp_path, "localhost", ended=True)
    async with running(NextHop(tls=old.server)) as hop:
        with pytest.raises(ServerProblem) as caught:
            await servers(old.client).open(Connection(host="localhost", port=hop.port), "")
    assert caught.value.code == "cert_expired"


async def test_tls_from_the_start_where_the_port_does_not_speak_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on port 465, which only root may open."""
    async with running(NextHop()) as hop:
        monkeypatch.setattr(own_servers, "IMPLICIT_TLS_PORT", hop.port)
        with pytest.raises(ServerProblem) as caught:
            await servers().open(Connection(host="127.0.0.1", port=hop.port), "")
    assert caught.value.code == "tls_not_spoken"


async def test_no_tls_where_the_port_expects_it_from_the_start(
    own: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(wait, "127.0.0.1", 0, ssl=own.server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        monkeypatch.setattr(own_servers, "IMPLICIT_TLS_PORT", port)
        with pytest.raises(ServerProblem) as caught:
            await servers(seconds=0.3).open(
                Connection(host="127.0.0.1", port=port, use_tls=False), ""
            )
    assert caught.value.code == "tls_expected"


async def test_a_server_that_says_nothing() -> None:
    async with running(NextHop(greeting="250-")) as hop:  # a reply that never ends
        with pytest.raises(ServerProblem) as caught:
            await servers(seconds=0.2).open(
                Connection(host="127.0.0.1", port=hop.port, use_tls=False), ""
            )
    assert caught.value.code in ("timeout", "disconnected")


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("[::1]", False),
        ("127.0.0.2", False),
        ("2130706433", False),
        ("0x7f.1", False),
        ("::ffff:127.0.0.1", False),
        ("localhost.", False),
    ],
)
async def test_private_addresses_are_refused_unless_allowed(host: str, fine: bool) -> None:
    """Hazard 40."""
    guarded = OwnServers(Resolver(), "me.test")
    with pytest.raises(ServerProblem) as caught:
        await guarded.open(Connection(host=host, port=2525), "")
    assert caught.value.code == "host_not_allowed"


async def test_port_25_is_refused_when_saved_and_when_connecting(caller: Caller) -> None:
    answer = await caller.ask(
        "PUT", "/smtp-connections/default", {"host": "mail.far.test", "port": 25}
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == "Port 25 is not allowed"
    with pytest.raises(ServerProblem) as caught:
        await servers().open(Connection(host="127.0.0.1", port=25), "")
    assert caught.value.code == "port_not_allowed"


# Connections


async def test_passwords_are_sealed_and_never_shown(caller: Caller, hop: NextHop) -> None:
    hop.login = ("shop", "open sesame")
    await caller.connect(hop, username="shop", password="open sesame")
    shown = await caller.data("GET", "/smtp-connections")
    assert "open sesame" not in json.dumps(shown)
    assert shown["results"][0]["has_password"] is True
    rows = await caller.api.site.parts.database.read(
        sending_records.of_kind_anywhere, "smtp_connection"
    )
    assert "open sesame" not in rows[0].value
    assert base64.b64encode(b"open sesame").decode() not in rows[0].value


async def test_a_password_stays_until_the_connection_leads_elsewhere(
    caller: Caller, hop: NextHop
) -> None:
    hop.login = ("shop", "open sesame")
    await caller.connect(hop, username="shop", password="open sesame")
    await caller.connect(hop, username="shop", from_name="Another name")
    assert (await caller.data("POST", "/test-connection"))["success"] is True
    async with running(NextHop(login=("shop", "open sesame"))) as thief:
        await caller.connect(thief, username="shop")
        told = await caller.data("POST", "/test-connection")
        assert told["error_code"] == "auth_failed"


async def test_a_password_of_another_secret_is_lost_and_said_so(
    tmp_path: Path, hop: NextHop
) -> None:
    async with calling(tmp_path) as caller:
        await caller.connect(hop, username="shop", password="open sesame")
    async with calling(tmp_path, jwt_secret="quite another secret of some length") as caller:
        told = await caller.data("POST", "/test-connection")
    assert told["error_code"] == "password_lost"


async def test_a_connection_is_forgotten_and_mail_for_it_fails(
    caller: Caller, hop: NextHop
) -> None:
    await caller.connect(hop)
    queued = await caller.data("POST", "/send-email", MAIL)
    await caller.data("DELETE", "/smtp-connections/default")
    assert (await caller.ask("DELETE", "/smtp-connections/default")).status_code == 404
    await caller.go()
    told = await caller.data("GET", f"/send-email/{queued['id']}")
    assert (told["status"], told["error_code"]) == ("failed", "not_configured")


async def test_accounts_see_nothing_of_one_another(caller: Caller, hop: NextHop) -> None:
    """Hazard 37."""
    await caller.connect(hop)
    queued = await caller.data("POST", "/send-email", MAIL)
    await caller.api.data("subaccount/add", {"fullname": "Other"})
    found = await caller.api.data("subaccounts/search", {"search_terms": ["Other"]})
    account = found["subaccounts"][0]["id"]
    made = await caller.api.site.parts.sending_api.api_keys.make(account=account)
    other = Caller(Api(caller.api.site, made.api_key))
    assert (await other.data("GET", "/smtp-connections"))["results"] == []
    assert (await other.ask("GET", f"/send-email/{queued['id']}")).status_code == 404
    assert (await other.ask("POST", "/send-email", MAIL)).status_code == 402


# Who may


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Smtp2go-Api-Key": "api-" + "x" * 32},
        {"X-Smtp2go-Api-Key": "nonsense"},
        {"Authorization": "Bearer nonsense"},
        {"x-admin-auth": "wrong"},
    ],
)
async def test_nobody_without_a_key(caller: Caller, headers: dict[str, str]) -> None:
    for verb, path in (
        ("POST", "/send-email"),
        ("GET", "/send-email/msg_1"),
        ("POST", "/send-emails"),
        ("POST", "/test-connection"),
        ("GET", "/smtp-connections"),
        ("PUT", "/smtp-connections/default"),
        ("DELETE", "/smtp-connections/default"),
    ):
        answer = await caller.api.site.http.request(verb, path, headers=headers, content=b"{}")
        assert answer.status_code == 401, (verb, path)


async def test_the_key_may_be_a_bearer_token_or_stand_in_the_body(caller: Caller) -> None:
    key = caller.api.key
    for headers, body in (({"Authorization": f"Bearer {key}"}, {}), ({}, {"api_key": key})):
        answer = await caller.api.site.http.post("/test-connection", json=body, headers=headers)
        assert answer.status_code == 402


async def test_a_key_needs_the_permission(caller: Caller) -> None:
    made = await caller.api.data("api_keys/add", {"endpoints": ["/email/send", "/test-connection"]})
    limited = Caller(Api(caller.api.site, made[0]["api_key"]))
    assert (await limited.ask("POST", "/send-email", MAIL)).status_code == 403
    assert (await limited.ask("POST", "/test-connection")).status_code == 402


async def test_the_administrator_may_name_a_server_in_the_call(
    caller: Caller, hop: NextHop
) -> None:
    there = {"host": "127.0.0.1", "port": hop.port, "use_tls": False}
    answer = await caller.api.site.http.post(
        "/test-connection", json={"connection": there}, headers=ADMIN
    )
    assert answer.json()["success"] is True
    refused = await caller.refused("/test-connection", {"connection": there})
    assert refused == (400, "invalid_field", "connection")


async def test_the_site_password_is_not_asked_for(tmp_path: Path) -> None:
    async with calling(tmp_path, passwords=[SITE_PASSWORD]) as caller:
        assert (await caller.ask("POST", "/test-connection")).status_code == 402


async def test_what_is_no_json_is_refused(caller: Caller) -> None:
    answer = await caller.api.site.http.post(
        "/send-email", content=b"{", headers={"X-Smtp2go-Api-Key": caller.api.key}
    )
    assert (answer.status_code, answer.json()["success"]) == (400, False)
