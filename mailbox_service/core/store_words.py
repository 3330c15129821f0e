"""Trouble of the store in words, as refusals say it and runs of workers keep it."""

from __future__ import annotations

import re

from mailbox_service.core.told import Told, Words

WORDS = Words(
    "store",
    {
        "full": "There is no room to store this now.",
        "full-for-all": "There is no room to store anything now.",
        "unreachable": "The store cannot be reached now.",
        "silent": "The store does not answer now.",
        "busy": "The store has too much to do now.",
        "stopping": "The service is stopping.",
        "statement": "The store does not take this statement.",
        # A fault of the program: only its kind is kept where people look, the log has the rest.
        "fault": "{kind}",
    },
)
_KIND = re.compile(r"[A-Z][A-Za-z]{0,60}(?:Error|Exception|Group|Warning)")


def trouble_words(text: str) -> Told | None:
    """What a kept text of trouble says; None when it is none of these."""
    told = WORDS.recognise(text)
    if told is not None and told.code == "store.fault" and not _KIND.fullmatch(text):
        return None
    return told
