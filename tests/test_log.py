"""Log lines: one a fact, whatever a peer managed to put into it. Hazard 50."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Iterator

import pytest

from mailbox_service import log
from mailbox_service.log import LONGEST_LINE, Lines, neutral

ACTING = "a\x00b\x1b[31mc\r\nforged\x7f\x9b\u2028\u202e\u2066end"


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger of ours and what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines())
    logger = logging.getLogger("mailbox.test_log")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield logger, stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_no_character_that_acts_is_left() -> None:
    cleaned = neutral(ACTING)
    assert cleaned.isprintable()
    assert cleaned == (r"a\x00b\x1b[31mc\x0d\x0aforged\x7f\x9b\u2028\u202e\u2066end")
    assert neutral("tab\tand Grüße 你好") == "tab\tand Grüße 你好"


def test_every_control_character_of_unicode_is_among_them() -> None:
    acting = [*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F)]
    assert all(neutral(chr(code)).isprintable() for code in acting if code != 9)


def test_a_line_has_time_level_logger_and_fact(
    lines: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = lines
    logger.info("accepted from=%s", ACTING)
    [line] = stream.getvalue().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO mailbox\.test_log accepted from=a\\x00b.*",
        line,
    )


def test_a_traceback_stays_in_the_line_of_its_fact(
    lines: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = lines
    try:
        raise RuntimeError(ACTING)
    except RuntimeError:
        logger.exception("failed")
    [line] = stream.getvalue().splitlines()
    assert "RuntimeError: a\\x00b" in line
    assert "\\x0aTraceback" in line


def test_a_line_is_cut_where_a_peer_makes_it_endless(
    lines: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = lines
    logger.info("helo=%s", "x" * 1_000_000)
    assert len(stream.getvalue()) <= LONGEST_LINE + 2


def test_libraries_that_quote_clients_are_silent() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    ours = logging.getLogger("mailbox").level
    try:
        log.start("debug")
        assert logging.getLogger("mailbox.anything").isEnabledFor(logging.DEBUG)
        for library in ("mail.log", "uvicorn.access", "httpx2", "some.library"):
            assert not logging.getLogger(library).isEnabledFor(logging.INFO), library
    finally:
        root.handlers, root.level = handlers, level
        logging.getLogger("mailbox").setLevel(ours)
        logging.setLogRecordFactory(logging.LogRecord)


def test_a_record_of_ours_says_what_any_other_says() -> None:
    for message, args in (("a %s %d", ("b", 3)), ("%(x)s", ({"x": 1},)), ("plain", ())):
        texts = {
            Lines().format(kind("mailbox.x", logging.INFO, "", 0, message, args, None))[25:]
            for kind in (log.Fact, logging.LogRecord)
        }
        assert len(texts) == 1, texts


def test_lines_that_wait_are_written_with_a_warning_or_soon_after() -> None:
    stream = io.StringIO()
    handler = log.Together(stream)
    handler.setFormatter(Lines())
    logger = logging.Logger("mailbox.test")
    logger.addHandler(handler)
    logger.info("first")
    logger.warning("second")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["first", "second"]
    logger.info("third")
    deadline = time.monotonic() + 30
    while "third" not in stream.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_line_that_is_made_already_stands_as_any_other_and_in_its_order() -> None:
    stream = io.StringIO()
    handler = log.Together(stream)
    handler.setFormatter(Lines())
    logger = logging.Logger("mailbox.smtp")
    logger.addHandler(handler)
    logger.info("accepted queue_id=1")
    handler.take_line("mailbox.smtp", "accepted queue_id=2\x1b\n")
    logger.warning("end")
    first, second, _ = stream.getvalue().splitlines()
    assert second[24:] == first[24:-1] + "2\\x1b\\x0a"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", second[:24])
