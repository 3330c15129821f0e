"""Clients of the sending API that others wrote, against the real process (sending-api §14)."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import re
import smtplib
import subprocess
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.journeys.running import RunningService, running
from tests.programs import need_node_package


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Another server, to which mail goes by SMTP."""
    yield from running(tmp_path_factory.mktemp("far"), domains=["far.test"])


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, far: RunningService
) -> Iterator[RunningService]:
    yield from running(
        tmp_path_factory.mktemp("sending"),
        sending_rate=100,
        outbound="relay",
        relay_url=f"smtp://127.0.0.1:{far.reception_port}",
    )


@pytest.fixture(scope="module")
def key(service: RunningService) -> str:
    """A key, made while the service runs."""
    return made_key(service, "--name", "journeys")


def made_key(service: RunningService, *arguments: str) -> str:
    done = service.command("apikey", "new", *arguments)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told["username"] == told["api_key"][:16]
    return str(told["api_key"])


@pytest.fixture
def client(service: RunningService, key: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The official Python client, unmodified, pointed at us."""
    import smtp2go.core as core  # type: ignore[import-untyped]

    monkeypatch.setattr(core, "API_ROOT", f"{service.url}/v3/")
    monkeypatch.delenv("SMTP2GO_API_KEY", raising=False)
    return core.Smtp2goClient(api_key=key)


def newest(service: RunningService, token: str, subject: str) -> EmailMessage:
    """The mail of this subject, waiting for it."""
    mail = service.wait_for_mail(token, subject=quote(subject))
    message = email.message_from_bytes(service.raw(token, mail["id"]), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_python_client_sends_text_and_html(far: RunningService, client: Any) -> None:
    """Acceptance 1, as are those below: the mail comes by SMTP to another server."""
    address, token = far.open_address("plain")
    answer = client.send(
        sender="Dave <dave@x.test>",
        recipients=[address],
        subject="From the client",
        text="plain words",
        html="<b>rich words</b>",
        custom_headers={"X-Camp": "spring"},
    )
    assert answer.success
    assert re.fullmatch(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}",
                        answer.json["data"]["email_id"])  # fmt: skip
    assert (answer.status_code, answer.request_id) == (200, answer.json["request_id"])
    assert not answer.errors
    limit = answer.rate_limit
    assert (limit.limit, limit.remaining) == (100, limit.remaining)
    assert 0 <= limit.remaining < 100
    assert 0 <= limit.reset <= 60
    message = newest(far, token, "From the client")
    assert message["X-Camp"] == "spring"
    assert message["X-Smtp2go-Api"] is None
    assert message["From"] == "Dave <dave@x.test>"
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]


def test_the_python_client_sends_a_template(
    service: RunningService, far: RunningService, client: Any, key: str
) -> None:
    address, token = far.open_address("template")
    template = {"api_key": key, "id": "welcome", "template_name": "W", "subject": "Dear {{name}}",
                "html_body": "<p>{{name}}</p>", "text_body": "{{name}}"}  # fmt: skip
    assert service.post("/v3/template/add", template).status == 200
    answer = client.send(
        sender="dave@x.test",
        recipients=[address],
        template_id="welcome",
        template_data={"name": "A&B"},
    )
    assert answer.success, answer.json
    message = newest(far, token, "Dear A&B")
    assert [part.get_content().strip() for part in message.iter_parts()] == [
        "A&B", "<p>A&amp;B</p>"
    ]  # fmt: skip


def test_the_python_client_hears_of_refusals(client: Any) -> None:
    answer = client.send(sender="dave@else.example", recipients=["a@x.test"], subject="s", text="t")
    assert not answer.success
    assert answer.status_code == 400
    assert answer.json["data"]["error"] == "From header sender domain not verified"
    answer = client.send(sender="dave@x.test", recipients=["nobody"], subject="s", text="t")
    assert answer.json["data"]["field_validation_errors"]["fieldname"] == "to"


def test_a_wrong_key_is_told_to_the_client(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    import smtp2go.core as core

    monkeypatch.setattr(core, "API_ROOT", f"{service.url}/v3/")
    answer = core.Smtp2goClient(api_key="api-" + "0" * 32).send(
        sender="dave@x.test", recipients=["a@x.test"], subject="s", text="t"
    )
    assert (answer.success, answer.status_code) == (False, 401)
    assert answer.rate_limit.limit >= 0


class NodeClient:
    """The official client of the npm world, unmodified (sending-api §14.2)."""

    def __init__(self, url: str, key: str) -> None:
        self._node, self._folder = need_node_package("smtp2go-nodejs")
        self._told = {"url": f"{url}/v3/", "key": key}

    def run(self, *calls: dict[str, Any], **told: Any) -> list[Any]:
        """What each call of the client came back with."""
        done = subprocess.run(
            [self._node, "smtp2go.mjs"],
            input=json.dumps({**self._told, **told, "calls": calls}),
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self._folder,
        )
        assert done.returncode == 0, done.stderr
        answers: list[Any] = json.loads(done.stdout)
        return answers


@pytest.fixture
def node(service: RunningService, key: str) -> NodeClient:
    return NodeClient(service.url, key)


def test_the_node_client_sends_all_it_can(
    far: RunningService, node: NodeClient, tmp_path: Path
) -> None:
    """Acceptance 1: text, HTML, Cc, Bcc, header fields, a file and a picture in the HTML."""
    (tmp_path / "grün.txt").write_text("Zeile\n")
    (tmp_path / "cat.png").write_bytes(bytes(range(256)))
    people = [far.open_address(f"node{n}") for n in range(3)]
    (to, to_token), (cc, cc_token), (bcc, bcc_token) = people
    (answer,) = node.run(
        {
            "mail": {
                "from": {"email": "dave@x.test", "name": "Dave"},
                "to": [{"email": to}],
                "cc": {"email": cc, "name": "Cy Copy"},
                "bcc": [{"email": bcc}],
                "subject": "From Node 你好",
                "html": '<b>rich</b><img src="cid:a-cat">',
                "text": "plain",
                "headers": [{"name": "X-Camp", "value": "spring"}],
                "attach": [str(tmp_path / "grün.txt")],
                "inline": [["a-cat", str(tmp_path / "cat.png")]],
            }
        }
    )
    assert (answer["data"]["succeeded"], answer["data"]["failures"]) == (1, [])
    assert answer["data"]["email_id"]
    for token in (to_token, cc_token, bcc_token):
        message = newest(far, token, "From Node 你好")
        assert (message["From"], message["Cc"]) == ("Dave <dave@x.test>", f"Cy Copy <{cc}>")
        assert (message["To"], message["Bcc"]) == (to, None)
        assert message["X-Camp"] == "spring"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "text/plain",
    ]
    picture, file = list(message.walk())[-2:]
    assert picture["Content-ID"] == "<a-cat>"
    assert picture.get_payload(decode=True) == bytes(range(256))
    assert (file.get_filename(), file.get_payload(decode=True)) == ("grün.txt", b"Zeile\n")


def test_the_node_client_sends_a_template_and_calls_any_service(
    far: RunningService, node: NodeClient
) -> None:
    address, token = far.open_address("node-template")
    template = {"id": "node-hello", "template_name": "N", "subject": "Node {{name}}",
                "html_body": "<p>{{name}}</p>", "text_body": "{{name}}"}  # fmt: skip
    made, sent, summary, hook, added = node.run(
        {"service": "template/add", "fields": template},
        {"mail": {"from": {"email": "dave@x.test"}, "to": {"email": address},
                  "template": "node-hello", "values": {"name": "A&B"}}},
        {"service": "stats/email_summary"},
        {"service": "webhook/add",
         "fields": {"url": "https://x.example/y", "events": ["bounce"]}},
        {"service": "api_keys/add", "fields": {"description": "by Node"}},
    )  # fmt: skip
    assert made["data"]["id"] == "node-hello"
    assert sent["data"]["succeeded"] == 1
    assert summary["data"]["email_count"] >= 1
    assert hook["data"]["events"] == ["bounce"]
    message = newest(far, token, "Node A&B")
    assert [part.get_content().strip() for part in message.iter_parts()] == [
        "A&B", "<p>A&amp;B</p>"
    ]  # fmt: skip
    username = added["data"][0]["username"]
    edited, removed, gone = node.run(
        {"service": "api_keys/edit", "verb": "PATCH",
         "fields": {"id": username, "status": "blocked"}},
        {"service": "api_keys/remove", "fields": {"id": username}},
        {"service": "webhook/remove", "fields": {"id": hook["data"]["id"]}},
    )  # fmt: skip
    assert edited["data"][0]["status"] == "blocked"
    assert edited["data"][0]["description"] == "by Node"
    assert removed["data"] == "ok"
    assert gone["data"]["id"] == hook["data"]["id"]


def test_the_node_client_hears_of_refusals(service: RunningService, node: NodeClient) -> None:
    letter = {"from": {"email": "dave@else.example"}, "to": {"email": "a@x.test"},
              "subject": "s", "text": "t"}  # fmt: skip
    (unverified,) = node.run({"mail": letter})
    assert unverified["status"] == 400
    assert unverified["data"]["data"]["error"] == "From header sender domain not verified"
    (address,) = node.run({"mail": {**letter, "to": {"email": "nobody"}}})
    assert address["data"]["data"]["field_validation_errors"]["fieldname"] == "to"
    unknown = NodeClient(service.url, "api-" + "0" * 32)
    (refused,) = unknown.run({"mail": letter})
    assert refused["status"] == 401
    # The header wins over the key that the client puts into the body (§1.2).
    (named,) = unknown.run(
        {"service": "api_keys/permissions"},
        headers={"X-Smtp2go-Api-Key": node._told["key"]},
    )
    assert "/email/send" in named["data"]


def test_the_documented_request_works(service: RunningService, key: str) -> None:
    """Sending-api §14.4."""
    fields = {"sender": "a@x.test", "to": ["b@x.test"], "subject": "hi", "text_body": "t"}
    answer = service.post("/v3/email/send", fields, headers={"X-Smtp2go-Api-Key": key})
    assert answer.json()["data"]["succeeded"] == 1


def test_a_file_and_a_picture_arrive(service: RunningService, key: str) -> None:
    address, token = service.open_address("files")
    blob = base64.b64encode(bytes(range(256))).decode()
    fields = {
        "sender": "a@x.test", "to": [address], "subject": "Files", "html_body": "<img src=cid:p>",
        "attachments": [{"filename": "grün.bin", "fileblob": blob, "mimetype": "a/b"}],
        "inlines": [{"filename": "p", "fileblob": blob, "mimetype": "image/png"}],
    }  # fmt: skip
    answer = service.post("/v3/email/send", fields, headers={"X-Smtp2go-Api-Key": key})
    assert answer.status == 200, answer.text
    message = newest(service, token, "Files")
    (file,) = [part for part in message.walk() if part.get_filename() == "grün.bin"]
    assert file.get_payload(decode=True) == bytes(range(256))


def test_an_smtp_user_and_a_key_log_in_at_the_submission_door(
    service: RunningService, key: str
) -> None:
    header = {"X-Smtp2go-Api-Key": key}
    added = service.post("/v3/users/smtp/add", {"username": "smtp-user"}, headers=header)
    password = added.json()["data"]["results"][0]["email_password"]
    address, token = service.open_address("viasmtp")
    for username, secret in (("smtp-user", password), ("whatever", key)):
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "shop@x.test", address, f"By {username}"
        letter.set_content("words")
        with smtplib.SMTP("127.0.0.1", service.submission_port, timeout=30) as door:
            door.login(username, secret)
            door.send_message(letter)
            letter.replace_header("From", "eve@else.example")
            with pytest.raises(smtplib.SMTPDataError) as refused:
                door.send_message(letter)
        # sending-api §1.4: the reply that SMTP2GO gives.
        assert refused.value.smtp_code == 550
        assert b"From header sender domain not verified" in refused.value.smtp_error
        assert newest(service, token, f"By {username}")["From"] == "shop@x.test"
    with (
        smtplib.SMTP("127.0.0.1", service.submission_port, timeout=30) as door,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        door.login("smtp-user", "wrong password")


def test_mail_scheduled_before_a_kill_goes_out_once_after_it(tmp_path: Path) -> None:
    service = RunningService(tmp_path)
    service.start()
    try:
        key = made_key(service)
        address, token = service.open_address("later")
        when = int(time.time()) + 3
        fields = {"sender": "a@x.test", "to": [address], "subject": "Later", "text_body": "t",
                  "schedule": when}  # fmt: skip
        answer = service.post("/v3/email/send", fields, headers={"X-Smtp2go-Api-Key": key})
        assert answer.json()["data"]["schedule_id"]
        service.kill()
        service.start()
        newest(service, token, "Later")
        listed = service.get("/api/inbox?limit=10", token=token).json()
        assert listed["count"] == 1
    finally:
        service.kill()


def test_a_key_is_made_while_no_service_runs(tmp_path: Path) -> None:
    service = RunningService(tmp_path)
    key = made_key(service, "--name", "first")
    service.start()
    try:
        answer = service.post("/v3/api_keys/permissions", headers={"X-Smtp2go-Api-Key": key})
        assert "/email/send" in answer.json()["data"]
        assert key not in service.log
        assert key.encode() not in (tmp_path / "data" / "mailbox.db").read_bytes()
    finally:
        service.stop()
