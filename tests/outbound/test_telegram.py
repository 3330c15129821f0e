"""Calls of the Bot API: forms with files, limits, and whom the service calls. Hazards 40, 43."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailbox_service.assembly import build
from mailbox_service.config import Config
from mailbox_service.core.telegram import BotFile, BotRefused
from mailbox_service.outbound import telegram
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.telegram import BotApi
from mailbox_service.outbound.webhook import HttpOut
from tests.bot_api_simulator import BotApiSimulator, bot_api
from tests.webhook_receiver import receiving

pytestmark = pytest.mark.anyio

TOKEN = "123456:secret"


@pytest.fixture
def api() -> Iterator[BotApiSimulator]:
    with bot_api() as server:
        yield server


def bot(url: str, *, private: bool = True, token: str = TOKEN) -> BotApi:
    http = HttpOut(Resolver(["127.0.0.1:9"]), private_addresses=private, answer_octets=65_536)
    return BotApi(url, token, http)


async def test_a_call_carries_its_values_as_json(api: BotApiSimulator) -> None:
    assert await bot(api.url + "/").call("sendMessage", {"text": "ü\u2028", "n": [1]}) is True
    (call,) = api.calls
    assert (call.token, call.method) == (TOKEN, "sendMessage")
    assert call.values == {"text": "ü\u2028", "n": [1]}


@pytest.mark.parametrize(
    ("filename", "seen"),
    [
        ("plain.txt", "plain.txt"),
        ('a"b\r\nX-Evil: 1.txt', "a%22b%0D%0AX-Evil: 1.txt"),
        ("ü.txt", "ü.txt"),
        ("", "attachment"),
    ],
)
async def test_a_file_keeps_its_bytes_and_no_name_ends_a_line(
    api: BotApiSimulator, filename: str, seen: str
) -> None:
    """Hazard 43."""
    content = b"\x00\xff\r\n--b\r\n" * 100
    await bot(api.url).send_files("42", [BotFile(filename, "text/plain", content)])
    (call,) = api.calls
    assert call.values == {"chat_id": "42"}
    ((name, kind, sent),) = call.files.values()
    assert name.encode("utf-8", "surrogateescape").decode() == seen
    assert (kind, sent) == ("text/plain", content)


async def test_a_kind_that_is_none_is_not_told(api: BotApiSimulator) -> None:
    wrong = BotFile("a", "text/plain\r\nX-Evil: 1", b"x")
    await bot(api.url).send_files("42", [wrong, wrong])
    (call,) = api.calls
    assert call.method == "sendMediaGroup"
    assert {kind for _, kind, _ in call.files.values()} == {"application/octet-stream"}


async def test_a_bot_api_at_a_private_address_is_called_only_where_that_may_be() -> None:
    """Hazard 40."""
    async with receiving() as receiver:
        for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"):
            with pytest.raises(BotRefused) as refused:
                await bot(f"http://{host}:{receiver.port}", private=False).call("getMe", {})
            assert refused.value.code == 0
            assert TOKEN not in str(refused.value)
        assert receiver.connections == 0


@pytest.mark.parametrize(
    ("url", "private"),
    [("https://api.telegram.org", False), ("http://127.0.0.1:8081", True)],
)
def test_only_a_bot_api_that_the_operator_named_may_be_private(
    url: str, private: bool, tmp_path: object
) -> None:
    parts = build(Config(data_dir=str(tmp_path), telegram_api_url=url))
    assert parts.bot_out._pool.private_addresses is private


@pytest.mark.parametrize("token", ["a b", "x\r\ny", "1:" + "x" * 4_000])
async def test_a_token_that_is_none_calls_nobody(api: BotApiSimulator, token: str) -> None:
    with pytest.raises(BotRefused):
        await bot(api.url, token=token).call("getMe", {})
    assert api.calls == []


async def test_a_bot_api_that_says_nothing_is_waited_for_no_longer_than_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telegram, "CALL_SECONDS", 0.05)
    async with receiving() as receiver:
        receiver.hangs = True
        with pytest.raises(BotRefused, match="no answer within"):
            await bot(f"http://127.0.0.1:{receiver.port}").call("getMe", {})
