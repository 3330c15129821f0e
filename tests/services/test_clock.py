"""Names that nobody can guess."""

from __future__ import annotations

import os
import string

import pytest

from mailbox_service.services import randomness
from mailbox_service.services.clock import random_text

LETTERS = string.ascii_lowercase + string.digits


@pytest.mark.parametrize("length", [0, 1, 8, 13, 26, 400])
def test_a_random_text_has_its_length_and_only_letters_and_digits(length: int) -> None:
    text = random_text(length)
    assert len(text) == length
    assert set(text) <= set(LETTERS)


def test_every_letter_comes_from_as_many_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randomness, "_octets_ahead", {})
    octets = bytes(range(256))
    monkeypatch.setattr(os, "urandom", lambda count: octets)
    text = random_text(252)
    assert {letter: text.count(letter) for letter in LETTERS} == dict.fromkeys(LETTERS, 7)


def test_octets_that_are_left_out_are_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randomness, "_octets_ahead", {})
    draws = [b"\xff" * 12, b"\x00\xfe\x01" * 4, b"\x02" * 12]
    monkeypatch.setattr(os, "urandom", lambda count: draws.pop(0))
    assert random_text(10) == "abababab" + "cc"
