"""Why a mail waits, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailbox_service.core.delivery import DAY, GIVE_UP_AFTER, HOUR, MINUTE
from mailbox_service.core.queue_words import (
    Waiting,
    gives_up_at,
    host_and_address,
    lines_of,
    meaning_of,
    reason_of,
    story,
)
from mailbox_service.core.told import span

NOON = 1_795_262_400_000_000
DEFERRED = Waiting(
    state="deferred",
    domain="far.test",
    attempts=3,
    queued_at=NOON - HOUR,
    next_attempt_at=NOON + 20 * MINUTE,
    reply="451 4.7.1 Greylisted, try again later",
    remote="mx.far.test [192.0.2.1]:25",
    outbound="direct",
)


# reply, the reason it is counted under
REASONS = [
    ("451 4.7.1 Greylisted", "451 4.7.1 Greylisted"),
    ("450 4.2.0 <bob@far.test>: try later", "450 4.2.0 <…>: try later"),
    ("450 Client host [192.0.2.7] blocked", "450 Client host … blocked"),
    ("421 4.7.0 busy, id 8f3a92cd11-ab", "421 4.7.0 busy, id …"),
    ("452 see https://help.test/a?b=1 now", "452 see … now"),
    ("mx.far.test:25 cannot be reached: no route", "mx.far.test:25 cannot be reached: no route"),
    ("451  two\tspaces", "451 two spaces"),
    ("451 " + "x" * 500, "451 " + "x" * 196),
]


@pytest.mark.parametrize(("reply", "reason"), REASONS)
def test_what_differs_from_mail_to_mail_is_no_reason(reply: str, reason: str) -> None:
    assert reason_of(reply) == reason


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        ("451 4.7.1 Greylisted, please try again later", "puts off mail"),
        ("421 4.7.28 Our system has detected an unusual rate", "only so much mail"),
        ("452 4.2.2 Mailbox full", "full"),
        ("450 4.7.23 reverse DNS does not match", "DNS records"),
        ("421 listed at block.test", "block list"),
        ("mx.far.test: certificate verify failed", "encrypted"),
        ("The name server for far.test did not answer", "name servers"),
        ("mx.far.test:25 cannot be reached: Connection refused", "could not be reached"),
        ("451 hm", ""),
    ],
)
def test_what_a_reply_is_about(reply: str, word: str) -> None:
    meaning = meaning_of(reply)
    assert word in (meaning or "")
    assert bool(word) == bool(meaning)


def test_the_story_of_a_deferred_mail() -> None:
    assert story(DEFERRED, now=NOON) == [
        "mx.far.test [192.0.2.1]:25 put it off after 3 attempts: 451 4.7.1 Greylisted, try again"
        " later.",
        meaning_of(DEFERRED.reply),
        "The next attempt is in 20 minutes.",
        "If nothing changes it is given up in 3 days, with a notice to its sender.",
    ]
    silent = replace(DEFERRED, reply="4.4.1 mx.far.test:25 cannot be reached: no route", attempts=1)
    assert story(silent, now=NOON)[0] == f"Nobody took it in 1 attempt: {silent.reply}."
    late = story(DEFERRED, now=NOON + 4 * DAY)
    assert "The next attempt is due now." in late
    assert late[-1] == "Its four days are over: the next attempt is the last."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "held", "outbound": "hold"}, "the setting outbound is hold"),
        ({"state": "held"}, "since a time when nothing was sent"),
        ({"state": "sending"}, "is under way"),
        ({"state": "delivered", "reply": "250 ok"}, "said 250 ok"),
        ({"state": "failed", "reply": "550 no", "attempts": 1}, "after 1 attempt: 550 no"),
        ({"state": "quarantined"}, "damaged"),
        ({"state": "queued"}, "Nobody has been asked"),
        ({"state": "queued", "outbound": "hold"}, "at its turn it will be held"),
        ({"state": "queued", "queued_at": NOON + 3 * HOUR}, "due in 3 hours"),
    ],
)
def test_the_story_of_every_state(changes: dict[str, object], words: str) -> None:
    told = " ".join(story(replace(DEFERRED, **changes), now=NOON))  # type: ignore[arg-type]
    assert words in told


def test_mail_for_our_own_domains_is_never_held() -> None:
    own = replace(DEFERRED, state="queued", outbound="hold", is_own=True)
    assert "held" not in " ".join(story(own, now=NOON))


@pytest.mark.parametrize(
    ("micros", "words"),
    [(-5, "0 seconds"), (1_000_000, "1 second"), (90_000_000, "90 seconds"),
     (2 * MINUTE, "2 minutes"), (119 * MINUTE, "119 minutes"), (2 * HOUR, "2 hours"),
     (47 * HOUR, "47 hours"), (2 * DAY, "2 days")],
)  # fmt: skip
def test_a_span_in_words(micros: int, words: str) -> None:
    assert span(micros // 1_000_000) == words


def test_only_what_waits_for_a_try_is_given_up() -> None:
    for state in ("queued", "deferred", "sending"):
        assert gives_up_at(state, NOON) == NOON + GIVE_UP_AFTER
    for state in ("held", "failed", "delivered"):
        assert gives_up_at(state, NOON) is None


def test_a_conversation_as_lines() -> None:
    kept = "* mx.far.test [192.0.2.1]:25\n< 220 mx.far.test\n> EHLO x.test\nodd"
    assert lines_of(kept) == [
        ("note", "mx.far.test [192.0.2.1]:25"),
        ("them", "220 mx.far.test"),
        ("us", "EHLO x.test"),
        ("note", "odd"),
    ]


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("mx.far.test [192.0.2.1]:25", ("mx.far.test", "192.0.2.1")),
        ("mx.far.test [2001:db8::1]:25", ("mx.far.test", "2001:db8::1")),
        ("127.0.0.1:2525", ("127.0.0.1:2525", "")),
        ("", ("", "")),
    ],
)
def test_a_remote_as_name_and_address(remote: str, expected: tuple[str, str]) -> None:
    assert host_and_address(remote) == expected
