"""Ids, dates, periods, people and queries of the sending API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.api_values import (
    like,
    period_seconds,
    read_date,
    read_mailbox,
    zulu,
)
from mailbox_service.core.compose import NamedAddress
from mailbox_service.core.email_id import (
    email_id_of,
    queue_id_of,
    queue_id_of_schedule,
    schedule_id_of,
)
from mailbox_service.core.errors import BadAddress, BadRequest
from mailbox_service.core.filter_query import matches, parse_query, wildcard
from mailbox_service.core.sending_api import BadField, is_within

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@given(st.text(LETTERS, min_size=25, max_size=25))
def test_ids_are_three_spellings_of_one_number(text: str) -> None:
    queue_id = "0" + text
    assert queue_id_of(email_id_of(queue_id)) == queue_id
    assert queue_id_of_schedule(schedule_id_of(queue_id)) == queue_id


@pytest.mark.parametrize("text", ["", "x", "000000-00000000000-000", "zzzzzz-zzzzzzzzzzz-zz!z"])
def test_what_is_no_id_names_nothing(text: str) -> None:
    assert queue_id_of(text) is None
    assert queue_id_of_schedule(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-09-10 13:15:00 +1200", "2025-09-10T01:15:00Z"),
        ("2025-09-10", "2025-09-10T00:00:00Z"),
        ("2025-09-10 13:15:01", "2025-09-10T13:15:01Z"),
        ("2025-09-10T13:15:01Z", "2025-09-10T13:15:01Z"),
        ("2025-09-10T13:15:01.250+02:00", "2025-09-10T11:15:01Z"),
        ("02 Jan 06 15:04 MST", "2006-01-02T22:04:00Z"),
        ("02 Jan 06 15:04 -0700", "2006-01-02T22:04:00Z"),
        ("Mon, 02 Jan 2006 15:04:05 GMT", "2006-01-02T15:04:05Z"),
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        ("1700000000", "2023-11-14T22:13:20Z"),
    ],
)
def test_dates_are_read_in_every_form(text: str | int, moment: str) -> None:
    assert zulu(read_date(text)) == moment


@pytest.mark.parametrize("text", ["", "soon", "2025-13-01", "x" * 1_000, 10**30, "2025-02-30"])
def test_what_is_no_date_is_refused(text: str | int) -> None:
    with pytest.raises(BadRequest):
        read_date(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:30:00", 1_800),
        ("1 hour", 3_600),
        ("2 days", 172_800),
        ("3 months", 7_776_000),
        ("4 months 5:00:00", 10_386_000),
        ("4 months, 5:00:00", 10_386_000),
    ],
)
def test_periods_are_read(text: str, seconds: int) -> None:
    assert period_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0:00:00", "soon", "1000 years", "5", "-1 hour"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        period_seconds(text)


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("a@b.test", NamedAddress("a@b.test")),
        ("<a@b.test>", NamedAddress("a@b.test")),
        ("Name <a@b.test>", NamedAddress("a@b.test", "Name")),
        ('"Name, Jr" <a@b.test>', NamedAddress("a@b.test", "Name, Jr")),
        ('"a \\"b\\"" <a@b.test>', NamedAddress("a@b.test", 'a "b"')),
    ],
)
def test_people_are_read(text: str, person: NamedAddress) -> None:
    assert read_mailbox(text) == person


@pytest.mark.parametrize("text", ["a@b.test>", "<a@b.test> <c@d.test>", "x" * 2_000])
def test_who_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        read_mailbox(text)


def test_a_pattern_means_its_letters() -> None:
    assert like("50%_!") == "%50!%!_!!%"


TEXTS = {"sender": ["ann@x.test"], "subject": ["Hello World"], "status": ["delivered"]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("hello", True),
        ("subject:hello", True),
        ("sender:hello", False),
        ("subject:'hello world'", True),
        ('subject:"hello world"', True),
        ("sender:ann* status:delivered", True),
        ("sender:bob OR status:deliv*", True),
        ("sender:bob AND status:delivered", False),
        ("NOT sender:bob", True),
        ("NOT (sender:bob OR sender:ann*)", False),
        ("subject:h?llo*", True),
        ("subject:[a TO i]", True),
        ("subject:[i TO z]", False),
    ],
)
def test_queries_are_judged(query: str, found: bool) -> None:
    assert matches(parse_query(query), TEXTS) is found


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_an_error(text: str) -> None:
    fault = None
    try:
        matches(parse_query(text), TEXTS)
    except BadField as error:
        fault = error.field
    assert fault in (None, "filter_query")


def test_a_query_has_a_depth_and_a_wildcard_a_cost() -> None:
    """Hazard 46."""
    with pytest.raises(BadField):
        parse_query("(" * 500 + "a" + ")" * 500)
    with pytest.raises(BadField):
        parse_query("NOT " * 400 + "a")
    assert not wildcard("*a" * 500 + "b", "a" * 5_000)


@pytest.mark.parametrize(
    ("wider", "permission", "within"),
    [
        (("*",), "/email/send", True),
        (("*",), "*", True),
        (("/email/*",), "/email/*", True),
        (("/email/*",), "/email/scheduled/*", True),
        (("/email/*",), "*", False),
        (("/email/send",), "/email/*", False),
        (("/email/send",), "/email/send", True),
        ((), "/email/send", False),
    ],
)
def test_permissions_within_others(wider: tuple[str, ...], permission: str, within: bool) -> None:
    assert is_within(wider, permission) is within
