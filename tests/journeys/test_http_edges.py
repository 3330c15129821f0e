"""Spot checks of the HTTP door as it is really served, below any framework. Hazards 36, 37."""

from __future__ import annotations

import json
import socket

import pytest

from tests.journeys.running import RunningService

PRIVATE = "A private subject that nobody else may see"


def exchange(service: RunningService, request: bytes, seconds: float = 20.0) -> bytes:
    """Send octets as they are; all that comes back until the door closes."""
    with socket.create_connection(("127.0.0.1", service.http_port), seconds) as raw:
        answer = bytearray()
        try:
            raw.sendall(request)
            while data := raw.recv(65_536):
                answer += data
        except ConnectionError:
            pass
        return bytes(answer)


def request(path: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *fields]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def token(service: RunningService) -> str:
    """The token of a mailbox with a private mail."""
    address, token = service.open_address("private")
    service.deliver(address, f"Subject: {PRIVATE}\r\n\r\nText.\r\n".encode())
    service.wait_for_mail(token)
    return token


PATHS = [
    "/api/mails?limit=10&offset=0",
    "/api/inbox",
    "/api/inbox/1",
    "/api/mails/1/raw",
    "/api/mail/1",
    "/admin/mails?limit=10&offset=0",
]
VARIANTS = [
    lambda path: path,
    lambda path: path.replace("/api", "/%61pi").replace("/admin", "/%61dmin"),
    lambda path: "/" + path,
    lambda path: path.replace("/", "//"),
    lambda path: "/." + path,
    lambda path: "/open_api/.." + path,
    lambda path: "/open_api/%2e%2e" + path,
    lambda path: "/health_check/../" + path,
    lambda path: path.upper(),
    lambda path: path.replace("?", ";?") if "?" in path else path + ";",
    lambda path: path.replace("?", "%00?") if "?" in path else path + "%00",
    lambda path: path.replace("?", "/?") if "?" in path else path + "/",
    lambda path: "http://other.test" + path,
    lambda path: path.replace("/", "\\"),
]


@pytest.mark.parametrize("path", PATHS)
def test_no_spelling_of_a_path_shows_a_mail_to_somebody_else(
    service: RunningService, token: str, path: str
) -> None:
    """Hazard 37: nobody, a stranger's token, a token of nonsense."""
    _, stranger = service.open_address()
    for variant in VARIANTS:
        spelled = variant(path)  # type: ignore[no-untyped-call]
        for fields in (
            (),
            (f"Authorization: Bearer {stranger}",),
            ("Authorization: Bearer x.y.z",),
        ):
            answer = exchange(service, request(spelled, *fields))
            assert PRIVATE.encode() not in answer, (spelled, fields)
    if not path.startswith("/admin"):
        seen = exchange(service, request(path, f"Authorization: Bearer {token}"))
        assert PRIVATE.encode() in seen, "its owner sees it"


def test_what_is_too_large_is_refused_and_the_door_goes_on(
    service: RunningService, token: str
) -> None:
    """Hazard 36: body, JSON depth, query, header."""
    bearer = f"Authorization: Bearer {token}"
    json_field = "Content-Type: application/json"
    deep = b'{"to_mail": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wide = json.dumps({"name": "a" * 2_000_000}).encode()
    cases = [
        (request("/api/new_address", json_field, method="POST", body=wide), {413, 400}),
        (request("/api/send_mail", bearer, json_field, method="POST", body=deep), {400, 413, 500}),
        (request("/api/inbox?q=" + "q" * 10_000, bearer), {400, 414, 431, 200}),
        (request("/api/inbox?" + "a=1&" * 10_000, bearer), {400, 414, 431}),
        (request("/api/inbox?q=" + "q" * 200_000, bearer), {400, 414, 431}),
        (request("/api/inbox", bearer, "X-Long: " + "x" * 200_000), {400, 431}),
        (request("/api/inbox", bearer, *["X: y"] * 20_000), {400, 431}),
        (request("/api/inbox", "Authorization: Bearer " + "x" * 50_000), {400, 401, 431}),
        (request("/" + "a/" * 30_000), {404, 400, 414, 431}),
    ]
    for sent, allowed in cases:
        answer = exchange(service, sent)
        assert status(answer) in allowed, (sent[:60], answer[:200])
        assert b"Traceback" not in answer
    assert service.get("/health_check").status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /api/new_address HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
        b"POST /api/new_address HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /health_check HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"EHLO client.test\r\nMAIL FROM:<a@b.example>\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        bytes(range(256)) * 100,
    ],
)
def test_what_is_no_http_is_refused_and_the_door_goes_on(
    service: RunningService, sent: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", service.http_port), 20) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        answer = bytearray()
        try:
            while data := raw.recv(65_536):
                answer += data
        except ConnectionError:
            pass
    assert not answer or status(bytes(answer)) in (400, 404, 411, 413, 501, 505), answer[:200]
    assert service.get("/health_check").status == 200


def test_a_huge_body_is_refused_before_it_is_sent(service: RunningService, token: str) -> None:
    """A declared size above the limit is answered at once; the peer need not send it."""
    head = request(
        "/api/send_mail",
        f"Authorization: Bearer {token}",
        f"Content-Length: {10 << 30}",
        method="POST",
    )
    assert status(exchange(service, head)) == 413
