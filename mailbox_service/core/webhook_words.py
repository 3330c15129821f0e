"""Why a webhook's post was not taken, in words: as `outbound.webhook` and `core.webhook` keep it,
with the name of the error in front where no request was made."""

from __future__ import annotations

from mailbox_service.core.told import Told, Words

WORDS = Words(
    "webhook",
    {
        "status": "status {status}",
        "cancelled": "cancelled by hand",
        "slow": "The receiver did not answer within {seconds} seconds",
        "refused": "fetch failed: All connection attempts failed",
        "hung-up": "fetch failed: Server disconnected without sending a response.",
        "port": "fetch failed: port {port} is not one of the web",
        "private": "fetch failed: the host has no public address",
        "no-address": "fetch failed: the host has no address",
        "no-host": "fetch failed: not a host",
        "failed": "fetch failed: {reason}",
        "body-large": "RangeError The body of the webhook would be too large",
        "method": "TypeError '{method}' HTTP method is unsupported.",
        "url": "Invalid URL",
        "url-long": "TypeError Invalid URL: too long",
        "url-password": "TypeError Invalid URL: it has a password in it",
        "url-wrong": "TypeError Invalid URL: {url}",
        "headers-long": "RangeError The headers of the webhook are too long",
        "headers-many": "RangeError There are more than {most} headers",
        "headers-unread": "SyntaxError The headers are not JSON: {reason}",
        "headers-object": "TypeError The headers are not a JSON object",
        "header-name": "TypeError Invalid header name: {name}",
        "header-value": "TypeError Invalid header value: {name}",
    },
)


def reason_words(reason: str) -> Told | None:
    """What a kept reason says; None when it is the receiver's own words."""
    return WORDS.recognise(reason) if reason else None
