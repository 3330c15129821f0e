"""Signed addresses of object stores: those that a reference client makes."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core.attachment_keys import LONGEST_KEY, checked, disk_name, folder_of, key_of
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.object_store import Bucket, is_endpoint, listed, presigned

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
BUCKET = Bucket("https://s3.store.test", "attachments", "an-access-key", "a/secret+key")
KEYS = [
    "ann@x.test/plain.txt",
    "ann@x.test/with space & more?#%25.pdf",
    "ann@x.test/发票 2026.pdf",
    "ann+tag@x.test/a/b~c_d-e.f",
    "ann@x.test/'quoted' (1) [x]!*",
]


def by_reference_client(method: str, bucket: Bucket, key: str) -> str:
    """The same address as botocore signs it."""
    import botocore.auth  # type: ignore[import-untyped]
    import botocore.awsrequest  # type: ignore[import-untyped]
    import botocore.credentials  # type: ignore[import-untyped]

    credentials = botocore.credentials.Credentials(bucket.key_id, bucket.secret)
    signer = botocore.auth.S3SigV4QueryAuth(credentials, "s3", "auto", expires=360)
    request = botocore.awsrequest.AWSRequest(
        method, f"{bucket.endpoint}/{bucket.name}/{quoted(key)}"
    )
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOON.replace(tzinfo=None)):
        signer.add_auth(request)
    return str(request.url)


def quoted(key: str) -> str:
    return quote(key, safe="/-_.~")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("endpoint", ["https://s3.store.test", "http://127.0.0.1:9000"])
def test_addresses_are_those_of_a_reference_client(method: str, key: str, endpoint: str) -> None:
    bucket = Bucket(endpoint, BUCKET.name, BUCKET.key_id, BUCKET.secret)
    ours = urlsplit(presigned(bucket, method, key, now=NOON, seconds=360))
    theirs = urlsplit(by_reference_client(method, bucket, key))
    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, theirs.netloc, theirs.path)
    assert dict(parse_qsl(ours.query)) == dict(parse_qsl(theirs.query))


def test_the_example_of_the_specification() -> None:
    """AWS: "Authenticating Requests: Using Query Parameters", with its key, date and bucket; the
    bucket in the path and the region as ours."""
    url = presigned(
        Bucket(
            "https://s3.amazonaws.com",
            "examplebucket",
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
        "GET",
        "test.txt",
        now=datetime(2013, 5, 24, tzinfo=UTC),
        seconds=86_400,
    )
    assert url.startswith("https://s3.amazonaws.com/examplebucket/test.txt?X-Amz-Algorithm=AWS4-")
    assert "20130524%2Fauto%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z" in url
    assert "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=" in url


def test_no_address_holds_longer_than_a_store_allows_and_none_shows_the_secret() -> None:
    url = presigned(BUCKET, "GET", "a", now=NOON, seconds=10**9)
    assert "X-Amz-Expires=604800&" in url
    assert "secret" not in url
    assert "secret" not in repr(BUCKET)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://store.test", True),
        ("http://127.0.0.1:9000", True),
        ("https://[2001:db8::1]:9000/base", True),
        ("store.test", False),
        ("ftp://store.test", False),
        ("file:///etc/passwd", False),
        ("https://user:pw@store.test", False),
        ("https://store.test?x=1", False),
        ("https://store.test#x", False),
        ("https://:9000", False),
        ("https://store.test:99999", False),
        ("", False),
    ],
)
def test_what_names_an_object_store(url: str, good: bool) -> None:
    assert is_endpoint(url) is good


def test_a_listing_is_read_by_its_tags_and_entities_are_not_a_language_hazard_31() -> None:
    document = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>
    <ListBucketResult><Name>b</Name><Prefix>ann@x.test/</Prefix>
    <Contents><Key>ann@x.test/a &amp; b&lt;.txt</Key>
    <LastModified>2026-11-21T12:00:00.000Z</LastModified><Size>7</Size></Contents>
    <Contents><Key>ann@x.test/&a;</Key><Size>x</Size></Contents>
    <Contents><NoKey/></Contents></ListBucketResult>"""
    first, second = listed(document)
    assert (first.key, first.size) == ("ann@x.test/a & b<.txt", 7)
    assert first.modified_at == NOON.timestamp() * 1_000_000
    assert second.key == "ann@x.test/&a;"


# Names of attachments


@pytest.mark.parametrize(
    "key", ["a", "a b.pdf", "发票.pdf", "12/photo.jpg", "..a", "a..b", "x" * 700]
)
def test_names_that_people_choose(key: str) -> None:
    assert checked(key) == key


@pytest.mark.parametrize(
    "key",
    [
        *("", None, 7, [], {}, "..", ".", "../a", "a/../b", "a/./b", "/a", "a/", "a//b", "a/ /b"),
        *("a\\..\\b", "a\0b", "a\r\nb", "a\x7fb", "\ud800", "a\u2028b", "é" * 351, ". ./x"),
    ],
)
def test_names_that_lead_elsewhere_or_break_lines_are_refused_hazard_30(key: object) -> None:
    with pytest.raises(BadRequest):
        checked(key)


@settings(max_examples=200)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=LONGEST_KEY // 4))
def test_a_name_on_disk_is_harmless_and_tells_the_name_again(key: str) -> None:
    name = disk_name(key)
    assert key_of(name) == key
    assert all(len(part) <= 201 for part in name.split("/"))
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/.")
    assert ".." not in name


def test_folders_say_nothing_of_their_address() -> None:
    assert len(folder_of("../../etc@x.test")) == 40
    assert folder_of("a@x.test") != folder_of("b@x.test")


def test_a_file_that_is_none_of_ours_has_no_name() -> None:
    assert key_of("notes.txt") is None
    assert key_of("_w.") is None
