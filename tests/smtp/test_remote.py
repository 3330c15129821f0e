"""The door alone, in front of a service that is reached over HTTP: real sockets on both sides."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import smtplib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mailbox_service.core.envelope import Envelope, Peer, Principal
from mailbox_service.core.errors import MailError, TemporaryFailure
from smtp_proxy.remote import KINDS, RemoteService
from smtp_proxy.submission import SubmissionDoor
from tests.smtp.conftest import LIMITS
from tests.smtp.post_office import TOKEN, PostOffice
from tests.smtp.wire import Wire

pytestmark = pytest.mark.anyio

SESSION = "short-lived-session-token"


def service_for(office: PostOffice) -> Starlette:
    """The two routes as `smtp_proxy.remote` describes them."""

    async def authenticate(request: Request) -> Response:
        given = await request.json()
        peer = Peer(**json.loads(request.headers["X-Peer"]))
        try:
            found = await office.authenticate(given["username"], given["password"], peer)
        except MailError:
            return PlainTextResponse("Unauthorized", 401)
        return JSONResponse(
            {"kind": found.kind, "address": found.address, "address_id": 1, "token": SESSION}
        )

    async def submit(request: Request) -> Response:
        assert request.headers["Authorization"] == f"Bearer {SESSION}"
        assert request.headers["Content-Type"] == "message/rfc822"
        envelope = Envelope(
            json.loads(request.headers["X-Reverse-Path"]),
            tuple(json.loads(request.headers["X-Recipients"])),
            **json.loads(request.headers["X-Envelope"]),
        )
        peer = Peer(**json.loads(request.headers["X-Peer"]))
        principal = Principal("address", "ann@example.test", 1)
        try:
            receipt = await office.submit(principal, envelope, await request.body(), peer)
        except MailError as error:
            return PlainTextResponse(
                error.detail,
                503 if error.enhanced[0] == "4" else 400,
                {"X-Mail-Error": type(error).__name__, "X-Enhanced-Status": error.enhanced},
            )
        return JSONResponse({"queue_id": receipt.queue_id})

    return Starlette(
        routes=[
            Route("/external/api/smtp/authenticate", authenticate, methods=["POST"]),
            Route("/external/api/smtp/submit", submit, methods=["POST"]),
        ]
    )


@pytest.fixture
async def service_url(office: PostOffice) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(service_for(office), log_config=None, ws="none"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    yield "http://127.0.0.1:%d" % listener.getsockname()[1]  # noqa: UP031
    server.should_exit = True
    await running
    listener.close()


@pytest.fixture
async def door(service_url: str) -> AsyncIterator[SubmissionDoor]:
    backend = RemoteService(service_url)
    door = SubmissionDoor(backend, hostname="mx.example.test", limits=LIMITS)
    await door.start("127.0.0.1", 0)
    yield door
    await door.close(0)
    await backend.close()


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ann <ann@example.test>"
    message["To"] = "bob@far.test"
    message["Subject"] = "Grüße"
    message["In-Reply-To"] = "<1@far.test>"
    message.set_content("text")
    message.add_alternative("<p>text</p>", subtype="html")
    message.add_attachment(bytes(range(256)), maintype="image", subtype="png", filename="ü.png")
    return message


def post(address: tuple[str, int], message: EmailMessage) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(*address, timeout=10) as smtp:
        smtp.login("jwt", TOKEN)
        to = ["bob@far.test", "hidden@far.test", "nobody@nowhere.test"]
        return smtp.send_message(message, to_addrs=to)


async def test_a_message_goes_through_whole(
    office: PostOffice, door: SubmissionDoor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert await asyncio.to_thread(post, door.address, letter()) == {}
    (kept,) = office.kept
    assert kept.envelope.reverse_path == "ann@example.test"
    assert kept.envelope.recipients == ("bob@far.test", "hidden@far.test", "nobody@nowhere.test")
    assert b"hidden" not in kept.content
    assert kept.content.endswith(b"--\r\n")
    assert b"In-Reply-To: <1@far.test>\r\n" in kept.content
    assert base64.b64encode(bytes(range(256)))[:70] in kept.content
    assert kept.peer.protocol == "ESMTPA"
    assert TOKEN not in caplog.text
    assert SESSION not in caplog.text


async def test_a_refusal_of_the_service_is_the_reply_of_the_door(
    office: PostOffice, door: SubmissionDoor
) -> None:
    """Hazard 12 and 19 through the proxy: From of another is 553, trouble is 4xx."""
    async with await Wire.connect(door.address) as wire:
        await wire.ask("EHLO me.test")
        assert (await wire.ask("AUTH PLAIN AGp3dAB3cm9uZw==")).startswith("535 5.7.8 ")
        secret = base64.b64encode(f"\0jwt\0{TOKEN}".encode()).decode()
        assert (await wire.ask(f"AUTH PLAIN {secret}")).startswith("235")
        forged = b"From: bob@example.test\r\n\r\n"
        reply = await wire.transaction(forged, "bob@far.test", sender="ann@example.test")
        assert reply == "553 5.7.1 From is not yours"
        office.trouble = TemporaryFailure("The database is away")
        reply = await wire.transaction(b"hello\r\n", "bob@far.test", sender="ann@example.test")
        assert reply == "451 4.3.0 The database is away"
        office.trouble = RuntimeError("secret of the service")
        reply = await wire.transaction(b"hello\r\n", "bob@far.test", sender="ann@example.test")
        assert reply == "451 4.3.0 The service has trouble, try again later"
    assert office.kept == []


async def test_a_service_that_is_away_is_a_temporary_failure() -> None:
    """Hazard 19: nothing listens there."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    backend = RemoteService(f"http://127.0.0.1:{port}")
    with pytest.raises(TemporaryFailure):
        await backend.authenticate("jwt", TOKEN, Peer("192.0.2.1"))
    await backend.close()


async def test_an_answer_that_is_not_the_services_is_a_temporary_failure() -> None:
    """A login page of some proxy, or an endless body, is no proof of anything."""

    async def page(request: Request) -> Response:
        return Response(b"<html>" * 100_000)

    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/{path:path}", page, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    backend = RemoteService("http://127.0.0.1:%d" % listener.getsockname()[1])  # noqa: UP031
    with pytest.raises(TemporaryFailure):
        await backend.authenticate("jwt", TOKEN, Peer("192.0.2.1"))
    await backend.close()
    server.should_exit = True
    await running
    listener.close()


def test_every_kind_of_refusal_can_cross_the_wire() -> None:
    def kinds(base: type[MailError]) -> set[type[MailError]]:
        return {base}.union(*(kinds(kind) for kind in base.__subclasses__()))

    ours = {kind for kind in kinds(MailError) if kind.__module__ == "mailbox_service.core.errors"}
    assert set(KINDS.values()) == ours


async def test_the_command_takes_mail_and_stops_when_told(
    office: PostOffice, service_url: str
) -> None:
    """`smtp-proxy --service URL`, as a user starts it."""
    command = [sys.executable, "-m", "smtp_proxy", "--service", service_url]
    process = await asyncio.create_subprocess_exec(
        *command, "--listen", "127.0.0.1:0", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    assert line.startswith("listening on 127.0.0.1:")
    port = int(line.split(",")[0].rpartition(":")[2])
    await asyncio.to_thread(post, ("127.0.0.1", port), letter())
    process.terminate()
    _, log = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert len(office.kept) == 1
    assert b"accepted queue_id=Q1" in log
    assert TOKEN.encode() not in log
    assert SESSION.encode() not in log


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--service", "ftp://x"], b"must begin with https://"),
        (["--service", "http://x", "--listen", "8025"], b"write it as host:port"),
        (["--service", "http://x", "--tls-cert", __file__], b"belong together"),
        (["--service", "http://x", "--listen", "192.0.2.1:1"], b"cannot listen on 192.0.2.1:1"),
    ],
)
async def test_the_command_says_what_is_wrong(arguments: list[str], complaint: bytes) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "smtp_proxy", *arguments], stderr=subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode != 0
    assert complaint in said
    assert b"Traceback" not in said
