from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli import tables

HEADING = ("app", "status", "where")
URL = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/api/"
ROWS = [("shop", "live", URL), ("a-longer-name", "failed", "bad-config"), ("new", "queued", "")]


def lines(width: int | None, rows: Sequence[Sequence[str]] = ROWS) -> list[str]:
    return [line.plain for line in tables.lines(HEADING, rows, width)]


@pytest.mark.parametrize("width", [None, 100])
def test_where_there_is_room_each_row_is_one_line_in_columns(width: int | None) -> None:
    assert lines(width) == [
        "app            status  where",
        f"shop           live    {URL}",
        "a-longer-name  failed  bad-config",
        "new            queued",
    ]


def test_a_last_cell_that_does_not_fit_gets_a_line_of_its_own_and_the_others_stay() -> None:
    assert lines(60) == [
        "app            status  where",
        "shop           live",
        f"    {URL}",
        "a-longer-name  failed  bad-config",
        "new            queued",
    ]


def test_where_not_even_the_others_fit_each_cell_has_its_line() -> None:
    assert lines(20) == [
        "shop", "  status  live", "  where", f"    {URL}",
        "a-longer-name", "  status  failed", "  where   bad-config",
        "new", "  status  queued",
    ]  # fmt: skip


def test_wide_characters_take_two_columns() -> None:
    assert lines(None, [("商店", "live", "x"), ("shop1", "live", "y")])[1:] == ["商店   live    x", "shop1  live    y"]


def test_a_cell_has_its_style_and_the_heading_none() -> None:
    styled = list(
        tables.lines(HEADING, ROWS, None, lambda column, cell: "green" if (column, cell) == (1, "live") else "")
    )
    assert [[str(span.style) for span in line.spans] for line in styled[:3]] == [[], ["green"], []]


WORD = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=30)


@given(st.lists(st.tuples(WORD, WORD, WORD), max_size=5), st.integers(20, 90))
def test_no_cell_is_ever_broken_or_lost(rows: list[tuple[str, str, str]], width: int) -> None:
    shown = lines(width, rows)
    for row in rows:
        for cell in row:
            assert any(cell in line for line in shown)
    longest = max((len(cell) for row in rows for cell in row), default=0)
    assert all(len(line) <= max(width, longest + len("    ")) for line in shown if rows)
