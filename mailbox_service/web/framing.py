"""Who may put a page of ours into a frame: Telegram, its mini app, and nobody anything else.

Telegram on a phone shows a mini app in a window of its own; Telegram Web shows it in a frame of
web.telegram.org. What the mini app does there needs the proof in its address, which a foreign page
around it does not have.
"""

from __future__ import annotations

import re

from mailbox_service.web.answers import Answer

TELEGRAM_WEB = b"https://web.telegram.org"
_MINI_APP = re.compile(r"/(?:[A-Za-z]{2}(?:-[A-Za-z]{2})?/)?telegram_mail/?")
_POLICY = b"content-security-policy"
_OLD_WORD = b"x-frame-options"  # it knows no origins; browsers that read it obey it all the same
_NOBODY = b"frame-ancestors 'none'"


def framed_by_telegram(path: str, answer: Answer) -> Answer:
    """The answer, which Telegram Web may frame when it is the mini app's document."""
    names = {name for name, _ in answer.headers}
    if _OLD_WORD not in names or not _MINI_APP.fullmatch(path):
        return answer
    headers = tuple(
        (name, value.replace(_NOBODY, b"frame-ancestors " + TELEGRAM_WEB))
        if name == _POLICY
        else (name, value)
        for name, value in answer.headers
        if name != _OLD_WORD
    )
    return Answer(answer.body, answer.media_type, status=answer.status, headers=headers)
