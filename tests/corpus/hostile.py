"""Messages that break mail readers, made when needed: too large to keep (hazard 28)."""

# ruff: noqa: E501 (one message a line)

from __future__ import annotations

from base64 import b64encode

HEAD = b"From: a@x.example\r\nSubject: hostile\r\n"


def _nested(depth: int, own_boundary: bool) -> bytes:
    out = [HEAD]
    for level in range(depth):
        boundary = b"b%d" % level if own_boundary else b"b"
        out.append(b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n")
        out.append(b"--" + boundary + b"\r\n")
    return b"".join([*out, b"Content-Type: text/plain\r\n\r\nwords\r\n"])


def _multipart(body: bytes, boundary: bytes = b"b") -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body


def _fields(value: bytes, name: bytes = b"To") -> bytes:
    return HEAD + name + b": " + value + b"\r\n\r\nwords\r\n"


MESSAGES: dict[str, bytes] = {
    "nesting of 10,000": _nested(10_000, own_boundary=True),
    "nesting of 10,000, one boundary": _nested(10_000, own_boundary=False),
    "1,400,000 parts": _multipart(b"--b\r\n\r\n" * 1_400_000),
    "200,000 parts with headers": _multipart(b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n" * 200_000),
    "100,000 header fields": HEAD + b"X-A: b\r\n" * 100_000 + b"\r\nwords\r\n",
    "a folded field of 1 MB": _fields(b"word\r\n " * 150_000),
    "20,000 encoded words": _fields(b"=?utf-8?q?a?=\r\n " * 20_000, b"Subject"),
    "20,000 encoded words of unknown charset": _fields(b"=?x-y?b?4Lw=?= " * 20_000, b"Subject"),
    "20,000 addresses": _fields(b"a@x.example,\r\n " * 20_000),
    "20,000 addresses in From": b"From: " + b"<a@x.example>, " * 20_000 + b"\r\n\r\nw",
    "1,000 nested comments": b"From: " + b"(" * 1_000 + b")" * 1_000 + b" a@x\r\n\r\nw",
    "open comments": b"From: " + b"(" * 1_000_000 + b"\r\n\r\nw",
    "open quotes": b"From: " + b'"\\' * 500_000 + b"\r\n\r\nw",
    "boundary of 64 KB": _multipart(b"--" + b"b" * 65_536 + b"\r\n\r\nx\r\n", b"b" * 65_536),
    "boundary of 64 KB folded": HEAD + b"Content-Type: multipart/mixed;\r\n boundary*0="
    + b"b" * 60 + b"".join(b";\r\n boundary*%d=bbbbbbbb" % n for n in range(1, 5_000)) + b"\r\n\r\n",
    "boundary of no length": _multipart(b"--\r\n\r\nx\r\n" * 50_000, b'""'),
    "rfc822 chain": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 10_000 + b"words",
    "rfc822 chain in multiparts": _multipart(
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" * 10_000
    ),
    "lines of dashes": _multipart(b"--\r\n" * 500_000),
    "nearly delimiters": _multipart((b"--" + b"b" * 60 + b"x\r\n") * 50_000, b"b" * 60),
    "5,000 parameters": HEAD + b"Content-Type: text/plain" + b"; a=b" * 50_000 + b"\r\n\r\nw",
    "parameters of quotes": HEAD + b"Content-Type: text/plain" + b';a="\\"' * 50_000 + b"\r\n\r\nw",
    "5 MB of base64": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n"
    + b64encode(bytes(range(256)) * 20_000),
    "2 MB of =": HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 2_000_000,
    "5 MB without a line end": HEAD + b"\r\n" + b"x" * 5_000_000,
    "5 MB of line ends": HEAD + b"\r\n" + b"\r\n" * 2_500_000,
    "5 MB of CR": HEAD + b"\r\n" + b"\r" * 5_000_000,
    "header without an end": HEAD + b"x" * 5_000_000,
    "1 MB of hostile HTML": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div><a href=http://x>" * 50_000,
    "1 MB of flowed text": HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"x \r\n" * 250_000,
    "10 MB of zeros": bytes(10_000_000),
}  # fmt: skip
