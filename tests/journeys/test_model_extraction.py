"""A model beside the running service: it is asked after mail arrived, and the mail has both."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.http_server import HttpServer
from tests.journeys.running import running

SECRET = "a secret of the tests"
LETTER = (
    b"From: Ferrybank <no-reply@ferry.example>\r\nSubject: Hello\r\n\r\n"
    b"Say sail-green-otter at the door.\r\n"
)


class ModelSimulator(HttpServer):
    """Finds the code in a mail that names it, for those who know the secret."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/extract"


class Answers(BaseHTTPRequestHandler):
    """Answers one question."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        knows = self.headers["Authorization"] == f"Bearer {SECRET}"
        words = [word for word in asked["text"].split() if word.count("-") == 2]
        body = json.dumps({"code": words[0] if words else None, "confidence": 0.9}).encode()
        self.send_response(200 if knows else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def modelling() -> Iterator[ModelSimulator]:
    server = ModelSimulator()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_mail_has_what_the_model_found_and_a_dead_model_holds_up_nothing(tmp_path: Path) -> None:
    with modelling() as model:
        settings = {
            "extraction_url": model.url,
            "extraction_secret": SECRET,
            "extraction_private_addresses": True,
        }
        services = running(tmp_path, **settings)
        service = next(services)
        address, token = service.open_address()
        service.deliver(address, LETTER)
        mail = service.wait_for_mail(token, codes="1")
        assert (mail["code"], mail["code_confidences"]) == ("sail-green-otter", [0.9])
        extracted = service.get(f"/api/mails/{mail['id']}/extracted", token=token).json()
        assert [one["rule"] for one in extracted["codes"]] == ["model"]
    service.deliver(address, b"Subject: Your code\r\n\r\nYour code is 482913.\r\n")
    later = service.wait_for_mail(token, after_id=mail["id"])
    assert later["code"] == "482913"
    service.wait_for_log("extraction-failed")
    assert SECRET not in service.log
    next(services, None)
    assert service.process is not None
    assert service.process.returncode == 0
