from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.plot import bars

counts = st.lists(st.integers(0, 10_000).map(float), max_size=300)


def test_a_hill() -> None:
    assert bars([0, 1, 2, 4, 2, 0], width=10, height=2) == [
        "4 ┤   █  ",
        "0 ┤ ▄███ ",
    ]


def test_nothing_to_show_is_an_empty_scale() -> None:
    assert bars([], width=10, height=2) == ["1 ┤", "0 ┤"]


def test_a_peak_is_not_lost_when_samples_are_gathered() -> None:
    assert "█" in bars([0.0] * 50 + [9.0] + [0.0] * 50, width=10, height=1)[0]


@given(values=counts, width=st.integers(1, 80), height=st.integers(1, 8))
def test_it_keeps_its_size_and_shows_all_that_is_there(values: list[float], width: int, height: int) -> None:
    lines = bars(values, width=width, height=height)
    assert len(lines) == height
    columns = [line.partition("┤")[2] for line in lines]
    assert len({len(column) for column in columns}) == 1
    assert len(columns[0]) <= width
    assert any(values) == any(column.strip() for column in columns)
