"""Mail as real programs write it, sent through both doors and read back: every stored octet is
the client's behind our trace fields, and the parsed view shows what the author meant."""

from __future__ import annotations

import email.headerregistry
import email.policy
import email.utils
import json
import os
import smtplib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import Header
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import RunningService
from tests.journeys.tap import Tap, behind_trace
from tests.programs import need, need_node_package

DOORS = ("submission", "reception")
DATE = "Sat, 21 Nov 2026 10:00:00 +0000"

TEXTS = {
    "us-ascii": "Plain old text",
    "utf-8": "Grüße, 你好, привет, 🎉",
    "iso-8859-1": "Grüße aus Zürich, façade",
    "iso-8859-15": "Preis 20 €, cœur",
    "iso-2022-jp": "こんにちは、世界。確認コード",
    "gb18030": "你好，世界。验证码𠮷",
    "big5": "您好，世界。驗證碼",
    "koi8-r": "Привет, мир. Код подтверждения",
    "windows-1251": "Привет, мир. Ёлка «код»",
    "euc-kr": "안녕하세요, 세계. 인증 코드",
    "shift_jis": "こんにちは、世界。カナ",
}


@dataclass(frozen=True)
class Box:
    """An open address."""

    address: str
    token: str


@dataclass(frozen=True)
class Pair:
    """Who sends and who receives."""

    service: RunningService
    ann: Box
    bob: Box

    def send(self, door: str, content: bytes) -> None:
        """Send as a program does that knows SMTP well."""
        smtp = (
            self.service.submission(self.ann.token) if door == "submission" else self.service.smtp()
        )
        with smtp:
            smtp.sendmail(self.ann.address, [self.bob.address], content, ["BODY=8BITMIME"])

    def opened(self, index: int = 0) -> tuple[dict[str, Any], bytes]:
        """What Bob's mailbox shows of a mail (oldest first), and its stored octets."""
        last = 0
        for _ in range(index + 1):
            last = self.service.wait_for_mail(self.bob.token, after_id=last)["id"]
        answer = self.service.get(f"/api/inbox/{last}", token=self.bob.token)
        assert answer.status == 200, answer.text
        return answer.json(), self.service.raw(self.bob.token, last)

    def attachment(self, mail: dict[str, Any], index: int) -> bytes:
        """An attachment as it is downloaded."""
        answer = self.service.get(
            f"/api/mails/{mail['id']}/attachments/{index}", token=self.bob.token
        )
        assert answer.status == 200, answer.text
        return answer.body


@pytest.fixture
def pair(service: RunningService) -> Pair:
    """Two new mailboxes."""
    return Pair(service, Box(*service.open_address()), Box(*service.open_address()))


@pytest.fixture
def tap(service: RunningService) -> Iterator[Tap]:
    """What listens between a client and the submission door."""
    with Tap(service.submission_port) as listening:
        yield listening


def run(*command: object, stdin: str = "", cwd: Path | None = None, **environment: str) -> str:
    """Run a mail client to its end."""
    result = subprocess.run(
        [str(word) for word in command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def names(mail: dict[str, Any]) -> list[str]:
    return [part["filename"] for part in mail["attachments"]]


# Python's email, the old way and the new


def classic(charset: str, ann: str, bob: str) -> bytes:
    """As email.mime writes: headers in the charset too, bodies encoded as the library likes."""
    text = TEXTS[charset]
    message = MIMEMultipart("mixed")
    message["From"] = f"{Header(text, charset).encode()} <{ann}>"
    message["To"] = bob
    message["Subject"] = Header(text, charset).encode()
    message["Date"] = DATE
    message["Message-ID"] = email.utils.make_msgid(domain="client.test")
    message.attach(MIMEText(text + "\n", "plain", charset))
    attached = MIMEApplication(text.encode(charset), "x-thing")
    attached.add_header("Content-Disposition", "attachment", filename=(charset, "", text))
    message.attach(attached)
    return message.as_bytes(policy=email.policy.compat32.clone(linesep="\r\n"))


def modern(charset: str, cte: str, ann: str, bob: str) -> bytes:
    """As EmailMessage writes: headers in UTF-8, the body in the charset."""
    text = TEXTS[charset]
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = email.headerregistry.Address(text, addr_spec=ann)
    message["To"], message["Date"], message["Subject"] = bob, DATE, text
    message["Message-ID"] = email.utils.make_msgid(domain="client.test")
    message.set_content(text + "\n", charset=charset, cte=cte)
    message.add_attachment(text.encode(charset), "application", "x-thing", filename=text)
    return message.as_bytes()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("charset", TEXTS)
def test_letters_of_python_come_through_in_every_charset(
    pair: Pair, charset: str, door: str
) -> None:
    text, ann, bob = TEXTS[charset], pair.ann.address, pair.bob.address
    letters = [classic(charset, ann, bob)]
    letters += [modern(charset, cte, ann, bob) for cte in ("8bit", "quoted-printable", "base64")]
    for index, letter in enumerate(letters):
        pair.send(door, letter)
        mail, raw = pair.opened(index)
        assert behind_trace(raw) == letter
        assert (mail["subject"], mail["from_name"]) == (text, text)
        assert (mail["from_address"], mail["source"]) == (ann, ann)
        assert mail["text"].strip() == text
        assert names(mail) == [text]
        assert mail["attachments"][0]["size"] == len(text.encode(charset))
        assert pair.attachment(mail, 0) == text.encode(charset)


def nested(depth: int) -> MIMEMultipart:
    message = MIMEMultipart("mixed")
    message.attach(MIMEText(f"level {depth}\n"))
    if depth:
        message.attach(nested(depth - 1))
    return message


def forwarded(depth: int) -> MIMEText | MIMEMultipart:
    """A message in a message in a message."""
    if not depth:
        inner = MIMEText("the innermost text\n")
        inner["Subject"] = "Innermost"
        return inner
    outer = MIMEMultipart("mixed")
    outer["Subject"] = f"Fwd {depth}"
    outer.attach(MIMEText(f"see below {depth}\n"))
    outer.attach(MIMEMessage(forwarded(depth - 1)))
    return outer


def with_head(body: bytes, *fields: str) -> bytes:
    """A message from octets; `fields` take the place of a plain Content-Type."""
    lines = ["Subject: Shape", "MIME-Version: 1.0", *(fields or ("Content-Type: text/plain",))]
    return b"\r\n".join(line.encode("latin-1") for line in lines) + b"\r\n\r\n" + body


def crlf(message: MIMEText | MIMEMultipart) -> bytes:
    if "Subject" not in message:
        message["Subject"] = "Shape"
    return message.as_bytes(policy=email.policy.compat32.clone(linesep="\r\n"))


INNER = crlf(forwarded(0))
SHAPES = {
    "rfc822 attached": with_head(
        INNER,
        "Content-Type: message/rfc822",
        "Content-Disposition: attachment; filename=inner.eml",
    ),
    "nested eight deep": crlf(nested(8)),
    "rfc822 in rfc822": crlf(forwarded(4)),
    "empty body": with_head(b""),
    "one empty line": with_head(b"\r\n"),
    "dots": with_head(b".\r\n..\r\n...\r\n.hidden\r\n. \r\n"),
    "lines of 998": with_head(b"".join(bytes([c]) * 998 + b"\r\n" for c in b"abc.")),
    "eight bits in header fields": with_head(
        b"text\r\n", "X-Raw: caf\xe9 \xff\xfe", "Comments: \xc3\xbc", "Content-Type: text/plain"
    ),
    "a field of 60 kB": with_head(
        b"text\r\n", "X-Long: " + "\r\n ".join(["long " * 150] * 80), "Content-Type: text/plain"
    ),
    "two thousand fields": with_head(b"text\r\n", *[f"X-Field-{n}: {n}" for n in range(2000)]),
    "no closing boundary": with_head(
        b"--edge\r\n\r\nfirst\r\n--edge\r\n\r\nsecond",
        'Content-Type: multipart/mixed; boundary="edge"',
    )
    + b"\r\n",
    "boundary that never comes": with_head(
        b"no boundary here\r\n", "Content-Type: multipart/mixed; boundary=gone"
    ),
    "no boundary parameter": with_head(b"text\r\n", "Content-Type: multipart/mixed"),
    "broken base64": with_head(
        b"!!!! not base64 ====\r\nQUJD\r\n",
        "Content-Type: text/plain",
        "Content-Transfer-Encoding: base64",
    ),
    "broken quoted-printable": with_head(
        b"=ZZ =\r\n=4\r\n=\r\n",
        "Content-Type: text/plain",
        "Content-Transfer-Encoding: quoted-printable",
    ),
    "unknown charset": with_head(b"gr\xfc\xdfe\r\n", "Content-Type: text/plain; charset=martian"),
    "broken encoded words": with_head(
        b"text\r\n", "X: =?utf-8?q?=zz?= =?x?b?!?=", "Content-Type: text/plain"
    ),
    "content type of garbage": with_head(b"text\r\n", "Content-Type: ;;;=/\x01"),
    "no line end at the end": with_head(b"cut off"),
    "all octets but NUL, CR and LF": with_head(
        bytes(octet for octet in range(1, 256) if octet not in b"\r\n") + b"\r\n"
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_any_shape_comes_through_unchanged(pair: Pair, door: str) -> None:
    for index, (shape, content) in enumerate(SHAPES.items()):
        letter = (
            f"From: <{pair.ann.address}>\r\nDate: {DATE}\r\nMessage-ID: <{index}@client.test>\r\n"
        ).encode() + content
        pair.send(door, letter)
        mail, raw = pair.opened(index)
        # SMTP ends every content with a line end; smtplib adds the one that is missing.
        assert behind_trace(raw) == letter.removesuffix(b"\r\n") + b"\r\n", shape
        assert mail["subject"] == ("Fwd 4" if shape == "rfc822 in rfc822" else "Shape"), shape
        if shape == "nested eight deep":
            assert all(f"level {depth}" in mail["text"] for depth in range(9))
        if shape == "rfc822 in rfc822":
            assert "Subject: Innermost" in mail["text"]
            assert "the innermost text" in mail["text"]
        if shape == "rfc822 attached":
            assert pair.attachment(mail, 0) == INNER
        if shape == "dots":
            assert mail["text"].splitlines()[:2] == [".", ".."]
        if shape == "no closing boundary":
            assert "first" in mail["text"]
            assert "second" in mail["text"]
    listed = pair.service.get("/api/mails?limit=100&offset=0", token=pair.bob.token).json()
    assert listed["count"] == len(SHAPES)


@pytest.mark.parametrize("door", DOORS)
def test_an_attachment_of_30_megabytes_comes_through(pair: Pair, door: str) -> None:
    big = os.urandom(30_000_000)
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"] = pair.ann.address, pair.bob.address
    message["Subject"], message["Date"] = "Big", DATE
    message["Message-ID"] = "<big@client.test>"
    message.set_content("See the attachment.\n")
    message.add_attachment(big, "application", "octet-stream", filename="big.bin")
    letter = message.as_bytes()
    pair.send(door, letter)
    mail, raw = pair.opened()
    assert behind_trace(raw) == letter
    assert mail["attachments"][0]["size"] == len(big)
    assert pair.attachment(mail, 0) == big


# Programs: the tap knows what they sent


def test_nodemailer(pair: Pair, tap: Tap, tmp_path: Path) -> None:
    node, folder = need_node_package("nodemailer")
    picture = os.urandom(5000)
    (tmp_path / "Bild 1.png").write_bytes(picture)
    message = {
        "from": {"name": "Änne Müller", "address": pair.ann.address},
        "to": [{"name": "Bob, the 2nd", "address": pair.bob.address}],
        "bcc": [pair.ann.address],
        "replyTo": pair.ann.address,
        "subject": "Von Node: Grüße 你好 🎉",
        "text": "Text: 你好\n.\n..",
        "html": "<p>HTML: <b>你好</b><img src='cid:pic@x'></p>",
        "attachments": [
            {"filename": "Bild 1.png", "path": str(tmp_path / "Bild 1.png"), "cid": "pic@x"},
            {"filename": "übersicht 概要.txt", "content": "Zeile 1\nZeile 2\n"},
        ],
        "inReplyTo": "<first@elsewhere.example>",
        "references": ["<first@elsewhere.example>"],
    }
    transport = {
        "host": "127.0.0.1",
        "port": tap.port,
        "secure": False,
        "ignoreTLS": True,
        "auth": {"user": "jwt", "pass": pair.ann.token},
    }
    said = run(
        node,
        folder / "send.mjs",
        stdin=json.dumps({"transport": transport, "message": message}),
        cwd=folder,
    )
    assert sorted(json.loads(said)["accepted"]) == sorted([pair.ann.address, pair.bob.address])
    mail, raw = pair.opened()
    [sent] = tap.contents
    assert behind_trace(raw) == sent
    assert mail["subject"] == "Von Node: Grüße 你好 🎉"
    assert mail["from_name"] == "Änne Müller"
    assert mail["text"].splitlines() == ["Text: 你好", ".", ".."]
    assert "<b>你好</b>" in mail["html"]
    assert mail["in_reply_to"] == "<first@elsewhere.example>"
    assert names(mail) == ["Bild 1.png", "übersicht 概要.txt"]
    assert pair.attachment(mail, 0) == picture
    assert pair.attachment(mail, 1).decode() == "Zeile 1\nZeile 2\n"
    # The Bcc got the same mail, and nobody reads of it.
    copied = pair.service.wait_for_mail(pair.ann.token)
    assert behind_trace(pair.service.raw(pair.ann.token, copied["id"])) == sent
    assert b"\nbcc:" not in sent.lower()


def test_swaks_with_alternatives_and_several_attachments(
    pair: Pair, tap: Tap, tmp_path: Path
) -> None:
    files = {
        "one.txt": b"one\n" * 300,
        "two.bin": os.urandom(70_000),
        "three.csv": b"a;b\r\n1;2\r\n",
    }
    attach: list[str] = []
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        attach += ["--attach", f"@{tmp_path / name}"]
    run(
        *(need("swaks"), "--server", f"127.0.0.1:{tap.port}", "--timeout", "20"),
        *("--auth", "PLAIN", "--auth-user", "jwt", "--auth-password", pair.ann.token),
        *("--from", pair.ann.address, "--to", pair.bob.address),
        *("--h-Subject", "From swaks", "--add-header", "X-Custom: kept"),
        *("--attach-type", "text/plain", "--attach-body", "The plain body"),
        *("--attach-type", "text/html", "--attach-body", "<p>The <b>HTML</b> body</p>"),
        *("--attach-type", "application/octet-stream", *attach),
    )
    mail, raw = pair.opened()
    [sent] = tap.contents
    assert behind_trace(raw).endswith(sent)
    assert mail["subject"] == "From swaks"
    assert mail["text"].strip() == "The plain body"
    assert "<b>HTML</b>" in mail["html"]
    assert {"name": "X-Custom", "value": "kept"} in mail["headers"]
    assert names(mail) == list(files)
    for index, content in enumerate(files.values()):
        assert pair.attachment(mail, index) == content


def test_neomutt_in_batch_mode(pair: Pair, tap: Tap, tmp_path: Path) -> None:
    neomutt = need("neomutt")
    attached = tmp_path / "Notizen für Bob.txt"
    attached.write_text("Zeile ä\n" * 50)
    settings = tmp_path / "neomuttrc"
    settings.write_text(
        f"set from='{pair.ann.address}'\nset realname='Änne M.'\nset use_from=yes\n"
        f"set smtp_url='smtp://jwt@127.0.0.1:{tap.port}'\nset smtp_pass='{pair.ann.token}'\n"
        "set smtp_authenticators='plain'\nset ssl_starttls=no\nset ssl_force_tls=no\n"
        "set copy=no\nset record=''\nset charset='utf-8'\nset send_charset='utf-8'\n"
        f"set tmpdir='{tmp_path}'\nset hostname='client.test'\nset crypt_use_gpgme=no\n"
    )
    run(
        *(neomutt, "-n", "-F", settings, "-s", "Von neomutt: Grüße"),
        *("-b", pair.ann.address, "-a", attached, "--", pair.bob.address),
        stdin="Liebe Grüße\nFrom me\n.\n",
        HOME=str(tmp_path),
    )
    mail, raw = pair.opened()
    [sent] = tap.contents
    assert behind_trace(raw) == sent
    assert (mail["subject"], mail["from_name"]) == ("Von neomutt: Grüße", "Änne M.")
    assert mail["text"].splitlines()[0] == "Liebe Grüße"
    assert names(mail) == ["Notizen für Bob.txt"]
    assert pair.attachment(mail, 0) == attached.read_bytes().replace(b"\n", b"\r\n"), "it is text"
    copied = pair.service.wait_for_mail(pair.ann.token)
    assert copied["subject"] == mail["subject"]


def test_curl_builds_a_message_itself(pair: Pair, tap: Tap, tmp_path: Path) -> None:
    attached = tmp_path / "table.bin"
    attached.write_bytes(os.urandom(20_000))
    html = tmp_path / "letter.html"
    html.write_text("<p>Grüße von <i>curl</i></p>")
    run(
        *(need("curl"), "-sS", "--url", f"smtp://127.0.0.1:{tap.port}/client.test"),
        *("--user", f"jwt:{pair.ann.token}"),
        *("--mail-from", pair.ann.address, "--mail-rcpt", pair.bob.address),
        *("-F", "=(;type=multipart/alternative", "-F", "=Grüße von curl;type=text/plain"),
        *("-F", f"=<{html};type=text/html;encoder=base64", "-F", "=)"),
        *("-F", f"file=@{attached};encoder=base64"),
        *("-H", f"From: curl <{pair.ann.address}>", "-H", "Subject: From curl"),
        *("-H", f"To: {pair.bob.address}", "-H", f"Date: {DATE}"),
        *("-H", "Message-ID: <curl@client.test>"),
    )
    mail, raw = pair.opened()
    [sent] = tap.contents
    assert behind_trace(raw) == sent
    assert (mail["subject"], mail["from_name"]) == ("From curl", "curl")
    assert mail["text"].strip() == "Grüße von curl"
    assert "<i>curl</i>" in mail["html"]
    assert names(mail) == ["table.bin"]
    assert pair.attachment(mail, 0) == attached.read_bytes()


def test_smtplib_of_a_program_that_does_not_care_about_line_ends(pair: Pair, tap: Tap) -> None:
    """`as_bytes()` has bare LF; our own users' programs are helped, as other doors do."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = pair.ann.address, pair.bob.address, "LF"
    message["Date"], message["Message-ID"] = DATE, "<lf@client.test>"
    message.set_content("line one\nline two\n")
    with smtplib.SMTP("127.0.0.1", tap.port, "client.test", timeout=30) as smtp:
        smtp.login("jwt", pair.ann.token)
        smtp.sendmail(pair.ann.address, [pair.bob.address], message.as_bytes())
    mail, raw = pair.opened()
    [sent] = tap.contents
    assert b"From: " in sent
    assert behind_trace(raw) == sent.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert mail["text"].split() == ["line", "one", "line", "two"]
