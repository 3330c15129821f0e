"""What is shown of a delivery: no secret of its receiver."""

from __future__ import annotations

import pytest

from mailbox_service.core.audit import HIDDEN
from mailbox_service.core.webhook_log import masked_headers, masked_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hook.test/in", "https://hook.test/in"),
        ("https://hook.test", "https://hook.test"),
        ("https://hook.test:8443/", "https://hook.test:8443/"),
        ("https://u:p@hook.test/in?token=x#y", f"https://{HIDDEN}@hook.test/in?{HIDDEN}"),
        ("https://chat.test/api/webhooks/1234/aB3dEfGhIjKlMnOpQrStUv",
         f"https://chat.test/api/webhooks/1234/{HIDDEN}"),
        ("https://hook.test/incoming-mail-for-the-whole-team",
         "https://hook.test/incoming-mail-for-the-whole-team"),
        ("http://[", HIDDEN),
    ],
)  # fmt: skip
def test_addresses_without_their_secrets(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_headers_without_their_secrets() -> None:
    headers = (("Content-Type", "application/json"), ("Authorization", "Bearer x"), ("X-Key", "y"))
    assert masked_headers(headers) == {
        "Content-Type": "application/json", "Authorization": HIDDEN, "X-Key": HIDDEN}  # fmt: skip
