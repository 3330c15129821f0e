"""Programs by their User-Agent (sending-api §6.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.user_agent import UserAgent, read

KIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CASES = [
    ("", UserAgent()),
    ("-", UserAgent()),
    ("Reader/1", UserAgent()),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        UserAgent("Firefox", "desktop", "Linux"),
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
        UserAgent("Thunderbird", "desktop", "Windows"),
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36",
        UserAgent("Chrome", "desktop", "Windows"),
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36 Edg/142.0",
        UserAgent("Edge", "desktop", "Windows"),
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KIT} Version/18.0 Safari/605.1.15",
        UserAgent("Safari", "desktop", "macOS"),
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KIT}",
        UserAgent("Apple Mail", "desktop", "macOS"),
    ),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {KIT} Mobile/15E148",
        UserAgent("Apple Mail", "mobile", "iOS"),
    ),
    (
        f"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) {KIT} CriOS/142.0 Mobile/15E148",
        UserAgent("Chrome", "tablet", "iOS"),
    ),
    (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Mobile Safari/537.36",
        UserAgent("Chrome", "mobile", "Android"),
    ),
    (
        "Mozilla/5.0 (Linux; Android 15; SM-X910) AppleWebKit/537.36 (KHTML, like Gecko) "
        "SamsungBrowser/28.0 Chrome/130.0.0.0 Safari/537.36",
        UserAgent("Samsung Internet", "tablet", "Android"),
    ),
    (
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        UserAgent("Gmail"),
    ),
    (
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Microsoft Outlook 16.0; ms-office)",
        UserAgent("Outlook", "desktop", "Windows"),
    ),
]


@pytest.mark.parametrize(("text", "told"), CASES)
def test_a_program_is_known_by_its_words(text: str, told: UserAgent) -> None:
    assert read(text) == told


@given(st.text(max_size=2_000))
def test_any_text_is_read(text: str) -> None:
    """Hazard 45: the header is a stranger's."""
    assert read(text).device in ("", "desktop", "tablet", "mobile")
