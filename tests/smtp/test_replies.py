"""Every kind of refusal has a reply, and every reply is one sound line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core import errors
from mailbox_service.core.errors import MailError
from smtp_proxy import replies

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
LINE = re.compile(rb"([245])[0-9]{2} ([245])\.[0-9]{1,3}\.[0-9]{1,3} [ -~]+\r\n")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_refusal_has_its_own_code(kind: type[MailError]) -> None:
    assert kind in replies.CODES
    found = LINE.fullmatch(replies.reply_for(kind("Why")))
    assert found
    assert found[1] == found[2], "code and enhanced code are of one class"


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (errors.BadCredential("x"), b"535 5.7.8 x\r\n"),
        (errors.FromNotYours("x"), b"553 5.7.1 x\r\n"),
        (errors.MessageTooBig("x"), b"552 5.3.4 x\r\n"),
        (errors.UnknownMailbox("x"), b"550 5.1.1 x\r\n"),
        (errors.NotOurDomain("x"), b"550 5.7.1 x\r\n"),
        (errors.RoutingLoop("x"), b"554 5.4.6 x\r\n"),
        (errors.StorageFull("x"), b"452 4.3.1 x\r\n"),
        (errors.MailboxFull("x"), b"452 4.2.2 x\r\n"),
        (errors.TooManyRequests("x"), b"450 4.7.0 x\r\n"),
        (errors.TemporaryFailure("x"), b"451 4.3.0 x\r\n"),
    ],
)
def test_the_replies_that_clients_know(error: MailError, reply: bytes) -> None:
    assert replies.reply_for(error) == reply


@given(detail=st.text(max_size=1_000), kind=st.sampled_from(KINDS))
def test_no_detail_makes_a_second_line_or_a_long_one(detail: str, kind: type[MailError]) -> None:
    """Hazard 50: what a refusal quotes from a peer stays inside one printable line."""
    for reply in (replies.reply_for(kind(detail)), replies.accepted("Queued", detail)):
        assert reply.endswith(b"\r\n")
        assert reply[:-2].decode("ascii").isprintable()
        assert len(reply) <= 512


def test_every_fixed_reply_is_one_line_with_an_enhanced_code() -> None:
    fixed = {k: v for k, v in vars(replies).items() if k.isupper() and isinstance(v, bytes)}
    assert len(fixed) > 40
    for name, reply in fixed.items():
        if name == "SEND_CONTENT":  # RFC 2034 §4: not on 3xx
            assert reply.startswith(b"354 ")
            continue
        found = LINE.fullmatch(reply)
        assert found, name
        assert found[1] == found[2], name


def test_only_421_and_221_end_a_connection() -> None:
    ending = {k for k, v in vars(replies).items() if isinstance(v, bytes) and v[:3] == b"421"}
    assert all(replies.ends_connection(vars(replies)[name]) for name in ending)
    assert replies.ends_connection(replies.BYE)
    assert not replies.ends_connection(replies.OUR_FAULT)
