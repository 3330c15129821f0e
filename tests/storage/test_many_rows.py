"""Ids of rows that were added together."""

from __future__ import annotations

import pytest

from mailbox_service.storage.many_rows import in_order


def test_ids_are_in_the_order_of_the_rows_whatever_order_they_come_in() -> None:
    added = [(9, "c"), (7, "a"), (8, "b")]
    assert in_order(added, [("a",), ("b",), ("c",)]) == [7, 8, 9]


def test_rows_that_were_numbered_in_another_order_get_their_own_ids() -> None:
    added = [(7, "b"), (8, "a")]
    assert in_order(added, [("a",), ("b",)]) == [8, 7]


def test_rows_that_look_alike_are_numbered_as_they_were_written() -> None:
    added = [(8, "a"), (7, "a"), (9, "b")]
    assert in_order(added, [("a",), ("a",), ("b",)]) == [7, 8, 9]


@pytest.mark.parametrize(
    ("added", "wanted"),
    [
        ([(7, "b"), (8, "a"), (9, "a")], [("a",), ("a",), ("b",)]),
        ([(7, "a")], [("b",)]),
        ([(7, "a")], [("a",), ("b",)]),
    ],
)
def test_no_row_gets_the_id_of_another(
    added: list[tuple[int, str]], wanted: list[tuple[str]]
) -> None:
    with pytest.raises(RuntimeError):
        in_order(added, wanted)
