"""A simulator of an object store (moto) on loopback, and what a reference client signs."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator

import pytest

from mailbox_service.core.object_store import Bucket

KEY_ID = "an-access-key"
SECRET = "a/secret+key"
BUCKET = "attachments"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A simulated object store with one empty bucket; where it is."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    make_bucket(url)
    yield url
    server.stop()


def make_bucket(url: str) -> None:
    """Make the bucket, as its operator does beforehand."""
    request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def bucket_at(endpoint: str) -> Bucket:
    """The bucket of the simulator."""
    return Bucket(endpoint, BUCKET, KEY_ID, SECRET)
