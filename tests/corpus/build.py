"""Writes the corpus: real-looking and broken messages, with what a reader must find in them.

Run `python -m tests.corpus.build` after a change; files are small and reproducible. What is
expected comes from the words the messages are made of, never from the parser under test.
"""

# ruff: noqa: E501 (one message a line)

from __future__ import annotations

import json
from base64 import b64encode
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from quopri import encodestring
from typing import Any
from urllib.parse import quote

FOLDER = Path(__file__).parent
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")

WORDS = {
    "utf-8": "Grüße, 世界! Ваш код 482913",
    "iso-8859-1": "Grüße aus Köln, código 482913",
    "iso-8859-2": "Zażółć gęślą jaźń 482913",
    "iso-8859-5": "Ваш код подтверждения 482913",
    "iso-8859-7": "Ο κωδικός σας είναι 482913",
    "iso-8859-9": "Doğrulama kodunuz ış 482913",
    "iso-8859-15": "Prix: 5 € œuvre 482913",
    "windows-1250": "Příliš žluťoučký kůň 482913",
    "windows-1251": "Ваш код подтверждения 482913",
    "windows-1252": "“Quoted” – 5 € 482913",
    "windows-1255": "קוד האימות שלך 482913",
    "windows-1256": "رمز التحقق 482913",
    "koi8-r": "Ваш код подтверждения 482913",
    "koi8-u": "Ваш код підтвердження їжак 482913",
    "gb2312": "您的验证码是 482913",
    "gb18030": "您的验证码是 482913，𠀀",
    "big5": "您的驗證碼為 482913",
    "shift_jis": "認証コードは 482913 です",
    "iso-2022-jp": "認証コードは 482913 です",
    "euc-jp": "認証コードは 482913 です",
    "euc-kr": "인증 코드는 482913 입니다",
    "tis-620": "รหัสยืนยัน 482913",
    "utf-16": "Grüße 世界 482913",
    "utf-7": "Grüße 482913",
}

Case = tuple[str, bytes, dict[str, Any]]


def encoded_word(text: str, charset: str) -> str:
    return f"=?{charset}?B?{b64encode(text.encode(charset)).decode()}?="


def head(*fields: str) -> bytes:
    return "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"


def basic(subject: str = "Hello") -> list[str]:
    return [
        "From: Anna Bell <anna@ferry.example>",
        "To: box@mail.example",
        f"Subject: {subject}",
        "Date: Sat, 21 Nov 2026 10:00:00 +0000",
        "Message-ID: <1@ferry.example>",
        "MIME-Version: 1.0",
    ]


def multipart(kind: str, boundary: str, *parts: bytes) -> tuple[str, bytes]:
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return (
        f'Content-Type: multipart/{kind}; boundary="{boundary}"',
        body + b"--" + boundary.encode() + b"--\r\n",
    )


def part(content_type: str, body: bytes, *fields: str) -> bytes:
    return head(f"Content-Type: {content_type}", *fields) + body


def charsets() -> list[Case]:
    cases: list[Case] = []
    for charset, words in WORDS.items():
        data = words.encode(charset)
        for encoding, body in (
            ("base64", b64encode(data)),
            ("quoted-printable", encodestring(data).rstrip(b"\n")),
            ("8bit", data),
        ):
            if encoding == "8bit" and charset in ("utf-16", "utf-7"):
                continue
            if encoding == "quoted-printable" and charset not in ("utf-8", "koi8-r", "big5"):
                continue
            subject = encoded_word(words, charset)
            raw = head(
                *basic(subject),
                f"Content-Type: text/plain; charset={charset}",
                f"Content-Transfer-Encoding: {encoding}",
            )
            expected = {"subject": words, "text": words}
            cases.append((f"charset-{charset}-{encoding}", raw + body, expected))
    return cases


def composed() -> list[Case]:
    """Messages as the standard library composes them."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Ferry Bank <no-reply@ferry.example>"
    message["To"] = "box@mail.example"
    message["Subject"] = "Größe ändern — 確認"
    message["Message-ID"] = "<composed@ferry.example>"
    message.set_content("Plain Grüße\n")
    message.add_alternative("<p>Rich <b>Grüße</b></p>\n", subtype="html")
    alternative = message.as_bytes()
    html = list(message.iter_parts())[1]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<logo@ferry.example>")
    related = message.as_bytes()
    message.add_attachment(b"a,b\r\n1,2\r\n", maintype="text", subtype="csv", filename="zahl ä.csv")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="a.pdf")
    mixed = message.as_bytes()
    inner = EmailMessage(policy=SMTP)
    inner["From"] = "inner@ferry.example"
    inner["Subject"] = "Inner subject"
    inner.set_content("Inner words\n")
    outer = EmailMessage(policy=SMTP)
    outer["From"] = "outer@ferry.example"
    outer["Subject"] = "Outer subject"
    outer.set_content("Outer words\n")
    outer.add_attachment(inner)
    both = {"subject": "Größe ändern — 確認", "text": "Plain Grüße\n"}
    logo = ["attachment", "image/png", len(PNG)]
    return [
        ("composed-alternative", alternative, {**both, "html": "<p>Rich <b>Grüße</b></p>\n"}),
        ("composed-related", related, {**both, "attachments": [logo]}),
        (
            "composed-mixed",
            mixed,
            {
                **both,
                "attachments": [
                    logo,
                    ["zahl ä.csv", "text/csv", 10],
                    ["a.pdf", "application/pdf", 8],
                ],
            },
        ),
        (
            "composed-forwarded-as-attachment",
            outer.as_bytes(),
            {"subject": "Outer subject", "text": "Outer words\n", "attachment_count": 1},
        ),
    ]


def structures() -> list[Case]:
    cases: list[Case] = []

    def add(name: str, fields: list[str], body: bytes, **expected: Any) -> None:
        cases.append((name, head(*fields) + body, expected))

    text, html = part("text/plain; charset=utf-8", b"Words"), part("text/html", b"<p>Rich</p>")
    add("plain", basic(), b"Words\r\nmore\r\n", subject="Hello", text="Words\nmore\n", html="")
    add("html-only", [*basic(), "Content-Type: text/html"], b"<p>Rich</p>\r\n",
        text="", html="<p>Rich</p>\n")  # fmt: skip
    kind, body = multipart("alternative", "b1", text, html)
    add("alternative", [*basic(), kind], body, text="Words", html="<p>Rich</p>")
    inner_kind, inner = multipart("alternative", "b2", text, html)
    footer = part("text/plain", b"Footer", "Content-Disposition: inline")
    kind, body = multipart("mixed", "b1", head(inner_kind) + inner, footer)
    add("mixed-footer", [*basic(), kind], body,
        text="Words\nFooter", html="<p>Rich</p>\n<div>Footer</div>")  # fmt: skip
    kind, body = multipart("mixed", "b1", text, html)
    add("mixed-both-kinds", [*basic(), kind], body,
        text="Words\nRich", html="<div>Words</div>\n<p>Rich</p>")  # fmt: skip
    kind, body = multipart("mixed", "b1", text, part("text/plain", b"Second"))
    add("mixed-two-texts", [*basic(), kind], body, text="Words\nSecond", html="")
    image = part("image/png; name=logo.png", b64encode(PNG), "Content-Transfer-Encoding: base64",
                 "Content-Disposition: inline", "Content-ID: <logo@x>")  # fmt: skip
    kind, body = multipart("related", "b1", html, image)
    add("related-inline-image", [*basic(), kind], body, html="<p>Rich</p>", text="",
        attachments=[["logo.png", "image/png", len(PNG)]])  # fmt: skip
    kind, body = multipart(
        "mixed", "b1", text, part("text/csv", b"a,b"), part("text/calendar", b"BEGIN:VCALENDAR")
    )
    add("csv-and-calendar", [*basic(), kind], body, text="Words", attachments=[
        ["attachment", "text/csv", 3], ["attachment", "text/calendar", 15]])  # fmt: skip
    kind, body = multipart("mixed", "b1", text,
                           part("text/plain", b"notes", "Content-Disposition: attachment"),
                           head("Content-Disposition: attachment; filename=x.bin") + b"abc",
                           )  # fmt: skip
    add("text-as-attachment", [*basic(), kind], body, text="Words", attachments=[
        ["attachment", "text/plain", 5], ["x.bin", "application/octet-stream", 3]])  # fmt: skip
    inner_mail = head("From: inner@x.example", "Subject: Inner", "Content-Type: text/plain")
    kind, body = multipart("mixed", "b1", text, part("message/rfc822", inner_mail + b"Inner words"))
    add("embedded-message", [*basic(), kind], body, text_has=["Words", "Subject: Inner", "Inner words"],
        attachment_count=0)  # fmt: skip
    kind, body = multipart(
        "mixed",
        "b1",
        text,
        part(
            "message/rfc822",
            inner_mail + b"Inner words",
            "Content-Disposition: attachment; filename=i.eml",
        ),
    )
    add("attached-message", [*basic(), kind], body, text="Words",
        attachments=[["i.eml", "message/rfc822", len(inner_mail) + 11]])  # fmt: skip
    kind, body = multipart("report; report-type=delivery-status", "b1", text,
                           part("message/delivery-status", b"Status: 5.1.1"),
                           part("message/rfc822", inner_mail + b"Inner words"))  # fmt: skip
    kind = 'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"'
    add("delivery-report", [*basic(), kind], body, text="Words", attachment_count=2)
    digest_kind, digest = multipart("digest", "b1", b"\r\n" + inner_mail + b"One",
                                    b"\r\n" + inner_mail + b"Two")  # fmt: skip
    add("digest", [*basic(), digest_kind], digest, text_has=["One", "Two"], attachment_count=0)
    add("flowed", [*basic(), "Content-Type: text/plain; format=flowed"],
        b"One long \r\nparagraph.\r\n> quoted \r\n-- \r\n  stuffed\r\n",
        text="One long paragraph.\n> quoted \n-- \n stuffed\n")  # fmt: skip
    add("flowed-delsp", [*basic(), "Content-Type: text/plain; format=flowed; delsp=yes"],
        b"ab \r\ncd\r\n", text="abcd\n")  # fmt: skip
    kind, body = multipart("mixed", "b1", text)
    add("preamble-and-epilogue", [*basic(), kind], b"preamble\r\n" + body + b"epilogue\r\n--b1\r\nx",
        text="Words", attachment_count=0)  # fmt: skip
    return cases


def names() -> list[Case]:
    cases: list[Case] = []
    for name, disposition, filename in [
        ("continued", "attachment; filename*0=\"long-\"; filename*1=\"name.txt\"", "long-name.txt"),
        ("extended", "attachment; filename*=utf-8''%C3%A4%20b.txt", "ä b.txt"),
        ("extended-continued", "attachment; filename*0*=utf-8''%C3%A4; filename*1=b.txt", "äb.txt"),
        ("extended-koi8", f"attachment; filename*=koi8-r''{quote('код'.encode('koi8-r'))}.txt", "код.txt"),
        ("encoded-word", f'attachment; filename="{encoded_word("отчёт.pdf", "utf-8")}"', "отчёт.pdf"),
        ("extended-wins", "attachment; filename=plain.txt; filename*=utf-8''good.txt", "good.txt"),
        ("traversal", 'attachment; filename="../../etc/passwd"', "passwd"),
        ("traversal-windows", 'attachment; filename="..\\\\..\\\\x.exe"', "x.exe"),
        ("bidi", "attachment; filename*=utf-8''a%E2%80%AEtxt.exe", "atxt.exe"),
        ("line-end", "attachment; filename*=utf-8''a%0D%0AX-Evil%3A%201.txt", "a X-Evil_ 1.txt"),
        ("empty", 'attachment; filename=""', "attachment"),
        ("dots", 'attachment; filename=".."', "attachment"),
        ("device", "attachment; filename=CON.txt", "_CON.txt"),
        ("quoted", 'attachment; filename="semi;colon \\"q\\".txt"', "semi;colon _q_.txt"),
        ("raw-utf8", 'attachment; filename="größe.txt"', "größe.txt"),
        ("gap", "attachment; filename*0=a; filename*2=c", "a"),
    ]:  # fmt: skip
        kind, body = multipart(
            "mixed", "b1", part("text/plain", b"Words"),
            part("application/x-data", b"abc", f"Content-Disposition: {disposition}"),
        )  # fmt: skip
        expected = {"text": "Words", "attachments": [[filename, "application/x-data", 3]]}
        cases.append((f"filename-{name}", head(*basic(), kind) + body, expected))
    return cases


def senders() -> list[Case]:
    cases: list[Case] = []
    for name, value, sender in [
        ("bare", "anna@x.example", " <anna@x.example>"),
        ("angle", "<anna@x.example>", " <anna@x.example>"),
        ("named", "Anna Bell <anna@x.example>", "Anna Bell <anna@x.example>"),
        ("quoted", '"Bell, Anna" <anna@x.example>', "Bell, Anna <anna@x.example>"),
        ("comma", "Bell, Anna <anna@x.example>", "Bell, Anna <anna@x.example>"),
        ("comment", "anna@x.example (Anna (the) Bell)", "Anna (the) Bell <anna@x.example>"),
        ("encoded", f"{encoded_word('Größe', 'utf-8')} <anna@x.example>", "Größe <anna@x.example>"),
        ("group", "Team: anna@x.example, bob@x.example;", " <anna@x.example>"),
        ("two", "anna@x.example, bob@x.example", " <anna@x.example>"),
        ("posing", "=?utf-8?q?boss_=3Cboss=40bank.example=3E?= <anna@x.example>",
         "boss <boss@bank.example> <anna@x.example>"),
        ("empty", "", ""),
        ("name-only", "Anna", "Anna <>"),
        ("raw-utf8", "Größe <anna@x.example>", "Größe <anna@x.example>"),
    ]:  # fmt: skip
        raw = head(f"From: {value}", "Subject: s") + b"Words\r\n"
        cases.append((f"sender-{name}", raw, {"sender": sender, "text": "Words\n"}))
    return cases


def broken() -> list[Case]:
    text = part("text/plain", b"Words")
    kind, body = multipart("mixed", "b1", text, part("text/plain", b"Second"))
    nested_kind, nested = multipart("mixed", "b1", part("text/plain", b"Inner"))
    same = head('Content-Type: multipart/mixed; boundary="b1"') + nested
    return [
        ("broken-empty", b"", {"subject": "", "text": "", "sender": ""}),
        ("broken-no-header", b"just words\r\n\r\nand more\r\n", {"text": "just words\n\nand more\n"}),
        ("broken-only-header", b"Subject: alone", {"subject": "alone", "text": ""}),
        ("broken-empty-header", b"\r\nbody\r\n", {"text": "body\n", "subject": ""}),
        ("broken-bare-lf", b"Subject: s\n\none\ntwo\n", {"subject": "s", "text": "one\ntwo\n"}),
        ("broken-mixed-line-ends", b"Subject: s\r\nX: y\n\r\none\rtwo\n", {"text": "one\ntwo\n"}),
        ("broken-mbox-line", b"From anna@x Sat Nov 21\r\nSubject: s\r\n\r\nw\r\n", {"subject": "s"}),
        ("broken-garbage-line", b"Subject: s\r\n!!! what\r\nTo: a@b\r\n\r\nw", {"subject": "s", "text": "w"}),
        ("broken-folded", b"Subject: one\r\n two\r\n\tthree\r\n\r\nw", {"subject": "one two three"}),
        ("broken-no-final-delimiter", head(*basic(), kind) + body[:-10], {"text": "Words\nSecond"}),
        ("broken-no-delimiter", head(*basic(), kind) + b"only words", {"text": "only words"}),
        ("broken-no-boundary", head("Content-Type: multipart/mixed") + b"words", {"text": "words"}),
        ("broken-empty-boundary", head('Content-Type: multipart/mixed; boundary=""') + b"words", {"text": "words"}),
        ("broken-same-boundary", head(*basic(), nested_kind) + multipart("mixed", "b1", same)[1], {"text": "Inner"}),
        ("broken-part-without-header", head(*basic(), kind) + b"--b1\r\nWords\r\n--b1--", {"text": "Words"}),
        ("broken-part-header-only", head(*basic(), kind) + b"--b1\r\nContent-Type: text/plain\r\n--b1\r\n\r\nx\r\n--b1--", {"text": "\nx"}),
        ("broken-base64", head("Content-Transfer-Encoding: base64") + b"V29y!!ZHM", {"text": "Words"}),
        ("broken-base64-short", head("Content-Transfer-Encoding: base64") + b"V29yZ", {"text": "Wor"}),
        ("broken-qp", head("Content-Transfer-Encoding: quoted-printable") + b"a=ZZ=3D=\r\nb=", {"text": "a=ZZ=b"}),
        ("broken-content-type", head("Content-Type: nonsense") + b"words", {"text": "words"}),
        ("broken-encoding-name", head("Content-Transfer-Encoding: 9bit") + b"words", {"text": "words"}),
        ("broken-charset-idna", head("Content-Type: text/plain; charset=idna") + b"words", {"text": "words"}),
        ("broken-charset-undefined", head("Content-Type: text/plain; charset=undefined") + b"words", {"text": "words"}),
        ("broken-charset-long", head(f"Content-Type: text/plain; charset={'x' * 5000}") + b"words", {"text": "words"}),
        ("broken-8bit-subject-latin1", "Subject: Größe\r\n\r\nw".encode("latin-1"), {"subject": "Größe"}),
        ("broken-8bit-subject-gbk", b"Content-Type: text/plain; charset=gbk\r\nSubject: " + "验证码".encode("gbk") + b"\r\n\r\nw", {"subject": "验证码"}),
        ("broken-encoded-word", b"Subject: =?utf-8?b?not base64?= =?x-none?q?=41?= =?utf-8?q?open\r\n\r\nw", {"text": "w"}),
        ("broken-split-character", b"Subject: =?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=\r\n\r\nw", {"subject": "Grüße"}),
        ("broken-nul", b"Subject: a\x00b\r\n\r\nx\x00y", {"subject": "ab", "text": "xy"}),
        ("broken-two-subjects", b"Subject: one\r\nSubject: two\r\n\r\nw", {"subject": "one"}),
    ]  # fmt: skip


def corpus() -> list[Case]:
    return [*charsets(), *composed(), *structures(), *names(), *senders(), *broken()]


def write() -> None:
    """Write every message and `expected.json`."""
    for old in FOLDER.glob("*.eml"):
        old.unlink()
    expected = {}
    for name, raw, wanted in corpus():
        (FOLDER / f"{name}.eml").write_bytes(raw)
        expected[name] = wanted
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    (FOLDER / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
