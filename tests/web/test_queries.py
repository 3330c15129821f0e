"""Queries are read as forms are (https://url.spec.whatwg.org/#urlencoded-parsing), the first
value of each name being the one that counts."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from mailbox_service.web.errors import Refused
from mailbox_service.web.request import MOST_QUERY_FIELDS, read_query


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"limit=20&offset=0",
        b"a=",
        b"=a",
        b"a",
        b"a&b=1",
        b"a=1&",
        b"&a=1",
        b"a=b=c",
        b"a=1&a=2",
        b"a=1;b=2",
        b"a=%41&b=+",
        b"@x.y~-_=a@b.c",
        b"a=\xc3\xa4",
        b"a=\xff",
        b"a=1&" * (MOST_QUERY_FIELDS - 1) + b"b=2",
    ],
)
def test_a_short_way_reads_what_the_long_way_reads(query: bytes) -> None:
    wanted: dict[str, str] = {}
    for key, value in parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True):
        wanted.setdefault(key, value)
    assert read_query(query) == wanted


@pytest.mark.parametrize("field", [b"a=1", b"a=%41"])
def test_a_query_of_too_many_fields_is_refused(field: bytes) -> None:
    with pytest.raises(Refused):
        read_query(b"&".join([field] * (MOST_QUERY_FIELDS + 1)))
