"""Why a mail waits, in words, and which of many replies say the same.

Times are microseconds UTC and enter as arguments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailbox_service.core.delivery import DAY, GIVE_UP_AFTER, HOUR, MINUTE

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

# What a reply is about: the first pattern that is found in it decides.
_MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), words)
    for pattern, words in (
        (
            r"grey.?list|try again (?:in|later|after)|temporarily rejected",
            "It puts off mail from senders that it does not know yet; a later attempt mostly gets"
            " through.",
        ),
        (
            r"\brate\b|too many|too much mail|throttl|exceeded|4\.7\.28",
            "It takes only so much mail from here in a while; the pauses between attempts help.",
        ),
        (
            r"mailbox (?:is )?full|over ?quota|insufficient (?:system )?storage|4\.2\.2",
            "The recipient's mailbox is full; it gets the mail when there is room.",
        ),
        (
            r"spf|dkim|dmarc|unauthenticated|not authenticated|reverse dns|\bptr\b|4\.7\.2[0-9]",
            "It wants proof of where the mail comes from: look at the DNS records of the domain.",
        ),
        (
            r"block|blacklist|denylist|listed|reputation|spamhaus|policy",
            "It does not like the address that this service sends from: see whether that is on a"
            " block list.",
        ),
        (
            r"certificate|starttls|\btls\b|\bssl\b|dane|mta-sts",
            "No encrypted connection that may be trusted came about.",
        ),
        (
            r"no such domain|nxdomain|no mail host|name server|dns|look(?:ed)? ?up|resolve",
            "Where its mail goes could not be found out; its name servers may be in trouble.",
        ),
        (
            r"refused|unreachable|timed? ?out|did not answer|no route|connect|reset|broke off",
            "Its mail server could not be reached, or the connection broke off.",
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


def meaning_of(reply: str) -> str:
    """What a reply is about, in a sentence; empty when nothing is known about it."""
    return next((words for pattern, words in _MEANINGS if pattern.search(reply[:1_024])), "")


def gives_up_at(state: str, queued_at: int) -> int | None:
    """When nobody will try again; None for what does not wait for a try."""
    return queued_at + GIVE_UP_AFTER if state in ("queued", "deferred", "sending") else None


def story(waiting: Waiting, *, now: int) -> list[str]:
    """Why a recipient has not got the mail, what happens next, and what may be done."""
    tries = f"{waiting.attempts} attempt{'' if waiting.attempts == 1 else 's'}"
    asked = waiting.remote or waiting.domain
    match waiting.state:
        case "held":
            return [
                "It is held: the setting outbound is hold, so nothing is sent to other domains."
                if waiting.outbound == "hold"
                else "It is held since a time when nothing was sent to other domains.",
                "It stays here, and nothing is lost. Retry lets it go"
                + (", once outbound is relay or direct." if waiting.outbound == "hold" else "."),
            ]
        case "sending":
            return [
                f"An attempt to hand it to {waiting.domain} is under way.",
                "Should the program that makes it have died, its turn comes again within 20"
                " minutes.",
            ]
        case "delivered":
            return [f"It was delivered: {asked} said {waiting.reply or '250'}."]
        case "failed":
            return [f"It was given up after {tries}: {waiting.reply or 'no reason was kept'}."]
        case "quarantined":
            return ["Its stored content is damaged, so it was taken out and not sent."]
    sentences = []
    if waiting.state == "queued" and waiting.queued_at > now:
        sentences.append(f"It is scheduled, and due {span(waiting.queued_at - now)} from now.")
    elif waiting.state == "queued":
        sentences.append(
            "Nobody has been asked to take it yet: its turn comes as soon as a delivery worker"
            " is free."
        )
    else:
        reply = waiting.reply or "without a word"
        if _ANSWERED.match(reply):
            sentences.append(f"{asked} put it off after {tries}: {reply}.")
        else:
            sentences.append(f"Nobody took it in {tries}: {reply}.")
        if meaning := meaning_of(waiting.reply):
            sentences.append(meaning)
        due = waiting.next_attempt_at
        if due is not None:
            sentences.append(
                f"The next attempt is {span(due - now)} from now."
                if due > now
                else "The next attempt is due now."
            )
    if not waiting.is_own and waiting.outbound == "hold" and waiting.queued_at <= now:
        sentences.append("The setting outbound is hold: at its turn it will be held.")
    left = waiting.queued_at + GIVE_UP_AFTER - now
    sentences.append(
        f"If nothing changes it is given up {span(left)} from now, with a notice to its sender."
        if left > 0
        else "Its four days are over: the next attempt is the last."
    )
    return sentences


def span(micros: int) -> str:
    """A span of time in words, in its largest unit that makes two or more."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if micros >= 2 * unit:
            return f"{micros // unit} {name}"
    seconds = max(micros // 1_000_000, 0)
    return f"{seconds} second{'' if seconds == 1 else 's'}"


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
