"""Why a mail waits, in words, and which of many replies say the same.

Times are microseconds UTC and enter as arguments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailbox_service.core.delivery import GIVE_UP_AFTER
from mailbox_service.core.told import Told, Words

SECOND = 1_000_000
# What stands for a part of a reply that differs from one to the next.
GAP = "…"
# Replies are compared by their beginning; what follows is mostly a link to a help page.
LONGEST_REASON = 200
# Numbers of things, addresses of machines and of people, links: they differ where the reason is
# the same. A status such as 4.7.1 and a short number such as a port stay.
_VARIABLE = re.compile(
    r"https?://\S+"
    r"|[^\s<>@]{1,64}@[^\s<>]{1,255}"
    r"|\[?\d{1,3}(?:\.\d{1,3}){3}\]?"
    r"|\b(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{8,}\b"
    r"|\b\d{4,}\b"
)
# A reply that somebody gave, and not our own words about why there was none.
_ANSWERED = re.compile(r"\d{3}(?: |$)")
_GAPS = re.compile(rf"{GAP}(?:[\s,;:.<>()\[\]-]*{GAP})+")

WORDS = Words(
    "queue",
    {
        "held-by-setting": "It is held: the setting outbound is hold, so nothing is sent to other"
        " domains.",
        "held": "It is held since a time when nothing was sent to other domains.",
        "stays-by-setting": "It stays here, and nothing is lost. Retry lets it go, once outbound"
        " is relay or direct.",
        "stays": "It stays here, and nothing is lost. Retry lets it go.",
        "sending": "An attempt to hand it to {domain} is under way.",
        "sending-died": "Should the program that makes it have died, its turn comes again within"
        " 20 minutes.",
        "delivered": "It was delivered: {host} said {reply}.",
        "given-up": (
            "It was given up after {n} attempt: {reply}.",
            "It was given up after {n} attempts: {reply}.",
        ),
        "given-up-silent": (
            "It was given up after {n} attempt: no reason was kept.",
            "It was given up after {n} attempts: no reason was kept.",
        ),
        "damaged": "Its stored content is damaged, so it was taken out and not sent.",
        "scheduled": "It is scheduled, and due {wait_seconds}.",
        "queued": "Nobody has been asked to take it yet: its turn comes as soon as a delivery"
        " worker is free.",
        "put-off": (
            "{host} put it off after {n} attempt: {reply}.",
            "{host} put it off after {n} attempts: {reply}.",
        ),
        "not-taken": (
            "Nobody took it in {n} attempt: {reply}.",
            "Nobody took it in {n} attempts: {reply}.",
        ),
        "not-taken-silent": (
            "Nobody took it in {n} attempt: without a word.",
            "Nobody took it in {n} attempts: without a word.",
        ),
        "next": "The next attempt is {wait_seconds}.",
        "next-now": "The next attempt is due now.",
        "will-hold": "The setting outbound is hold: at its turn it will be held.",
        "gives-up": "If nothing changes it is given up {left_seconds}, with a notice to"
        " its sender.",
        "last": "Its four days are over: the next attempt is the last.",
        # What a reply is about.
        "greylisted": "It puts off mail from senders that it does not know yet; a later attempt"
        " mostly gets through.",
        "too-much": "It takes only so much mail from here in a while; the pauses between attempts"
        " help.",
        "full": "The recipient's mailbox is full; it gets the mail when there is room.",
        "proof": "It wants proof of where the mail comes from: look at the DNS records of the"
        " domain.",
        "disliked": "It does not like the address that this service sends from: see whether that"
        " is on a block list.",
        "encryption": "No encrypted connection that may be trusted came about.",
        "names": "Where its mail goes could not be found out; its name servers may be in trouble.",
        "unreachable": "Its mail server could not be reached, or the connection broke off.",
    },
)

# What a reply is about: the first pattern that is found in it decides.
_MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), name)
    for pattern, name in (
        (
            r"grey.?list|try again (?:in|later|after)|temporarily rejected",
            "greylisted",
        ),
        (
            r"\brate\b|too many|too much mail|throttl|exceeded|4\.7\.28",
            "too-much",
        ),
        (
            r"mailbox (?:is )?full|over ?quota|insufficient (?:system )?storage|4\.2\.2",
            "full",
        ),
        (
            r"spf|dkim|dmarc|unauthenticated|not authenticated|reverse dns|\bptr\b|4\.7\.2[0-9]",
            "proof",
        ),
        (
            r"block|blacklist|denylist|listed|reputation|spamhaus|policy",
            "disliked",
        ),
        (
            r"certificate|starttls|\btls\b|\bssl\b|dane|mta-sts",
            "encryption",
        ),
        (
            r"no such domain|nxdomain|no mail host|name server|dns|look(?:ed)? ?up|resolve",
            "names",
        ),
        (
            r"refused|unreachable|timed? ?out|did not answer|no route|connect|reset|broke off",
            "unreachable",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recipient as the story needs it; `remote` is who was asked last, `reply` what they said,
    `outbound` the setting."""

    state: str
    domain: str
    attempts: int
    queued_at: int
    next_attempt_at: int | None
    reply: str
    remote: str
    outbound: str
    is_own: bool = False


def reason_of(reply: str) -> str:
    """A reply without what differs from mail to mail, so that like ones can be counted."""
    words = _VARIABLE.sub(GAP, " ".join(reply.split()))
    return _GAPS.sub(GAP, words)[:LONGEST_REASON]


def meaning_of(reply: str) -> Told | None:
    """What a reply is about, in a sentence; None when nothing is known about it."""
    beginning = reply[:1_024]
    name = next((name for pattern, name in _MEANINGS if pattern.search(beginning)), None)
    return None if name is None else WORDS.say(name)


def gives_up_at(state: str, queued_at: int) -> int | None:
    """When nobody will try again; None for what does not wait for a try."""
    return queued_at + GIVE_UP_AFTER if state in ("queued", "deferred", "sending") else None


def story(waiting: Waiting, *, now: int) -> list[Told]:
    """Why a recipient has not got the mail, what happens next, and what may be done."""
    say, n = WORDS.say, waiting.attempts
    asked = waiting.remote or waiting.domain
    match waiting.state:
        case "held" if waiting.outbound == "hold":
            return [say("held-by-setting"), say("stays-by-setting")]
        case "held":
            return [say("held"), say("stays")]
        case "sending":
            return [say("sending", domain=waiting.domain), say("sending-died")]
        case "delivered":
            return [say("delivered", host=asked, reply=waiting.reply or "250")]
        case "failed" if waiting.reply:
            return [say("given-up", n=n, reply=waiting.reply)]
        case "failed":
            return [say("given-up-silent", n=n)]
        case "quarantined":
            return [say("damaged")]
    sentences = _so_far(waiting, asked, now)
    if not waiting.is_own and waiting.outbound == "hold" and waiting.queued_at <= now:
        sentences.append(say("will-hold"))
    left = waiting.queued_at + GIVE_UP_AFTER - now
    sentences.append(say("gives-up", left_seconds=left // SECOND) if left > 0 else say("last"))
    return sentences


def _so_far(waiting: Waiting, asked: str, now: int) -> list[Told]:
    """What happened to a recipient that waits for its turn, and when that is."""
    say, n = WORDS.say, waiting.attempts
    if waiting.state == "queued" and waiting.queued_at > now:
        return [say("scheduled", wait_seconds=(waiting.queued_at - now) // SECOND)]
    if waiting.state == "queued":
        return [say("queued")]
    if not waiting.reply:
        sentences = [say("not-taken-silent", n=n)]
    elif _ANSWERED.match(waiting.reply):
        sentences = [say("put-off", host=asked, n=n, reply=waiting.reply)]
    else:
        sentences = [say("not-taken", n=n, reply=waiting.reply)]
    if meaning := meaning_of(waiting.reply):
        sentences.append(meaning)
    due = waiting.next_attempt_at
    if due is not None:
        late = due <= now
        sentences.append(
            say("next-now") if late else say("next", wait_seconds=(due - now) // SECOND)
        )
    return sentences


def lines_of(conversation: str) -> list[tuple[str, str]]:
    """A kept conversation as pairs: who spoke (`us`, `them`, or `note` for what was seen) and
    the line."""
    speakers = {">": "us", "<": "them"}
    return [
        (speakers.get(line[:1], "note"), line[2:] if line[:2] in ("> ", "< ", "* ") else line)
        for line in conversation.splitlines()
    ]


def host_and_address(remote: str) -> tuple[str, str]:
    """`mx.example [192.0.2.1]:25` as name and address; an empty address when none is told."""
    host, _, rest = remote.partition(" ")
    address = rest.partition("[")[2].partition("]")[0]
    return host, address
