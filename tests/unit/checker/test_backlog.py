from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.backlog import Backlog, expected_seconds, percentile

COUNTS = st.integers(0, 10_000)
SECONDS = st.floats(0.1, 10_000)


def test_waiting_and_running_messages_are_load() -> None:
    backlog = Backlog(visible=10, in_flight=4, workers=4, build_seconds=30)
    assert backlog.per_worker == 3.5
    assert backlog.seconds == 10 * 30 + 4 * 15
    assert backlog.seconds_per_worker == 90


def test_a_pandas_build_counts_for_more_than_a_hello_world() -> None:
    light, heavy = (Backlog(10, 0, 2, seconds) for seconds in (5, 200))
    assert light.per_worker == heavy.per_worker
    assert heavy.seconds_per_worker == 40 * light.seconds_per_worker


def test_machines_with_more_slots_are_through_sooner() -> None:
    assert Backlog(12, 0, 2, 10, slots=3).seconds_per_worker == Backlog(12, 0, 6, 10).seconds_per_worker


def test_only_a_backlog_with_nobody_there_calls_for_the_first_machine() -> None:
    assert Backlog(3, 0, 0, 20).seconds_without_workers == 60
    assert Backlog(3, 0, 1, 20).seconds_without_workers == 0
    assert Backlog(0, 0, 0, 20).seconds_without_workers == 0
    assert Backlog(3, 5, 0, 20, slots=2).seconds_without_workers == 30


def test_nobody_boots_for_what_nobody_could_take() -> None:
    assert Backlog(0, 4, 0, 20).seconds_without_workers == 0


@given(visible=COUNTS, in_flight=COUNTS, workers=st.integers(0, 1000), seconds=SECONDS, slots=st.integers(1, 16))
def test_every_metric_is_a_number_and_never_negative(
    visible: int, in_flight: int, workers: int, seconds: float, slots: int
) -> None:
    metrics = Backlog(visible, in_flight, workers, seconds, slots).metrics()
    assert all(math.isfinite(value) and value >= 0 for value in metrics.values())


@given(visible=COUNTS, in_flight=COUNTS, workers=st.integers(1, 500), seconds=SECONDS)
def test_twice_the_workers_halve_what_each_has_to_do(
    visible: int, in_flight: int, workers: int, seconds: float
) -> None:
    one, two = Backlog(visible, in_flight, workers, seconds), Backlog(visible, in_flight, 2 * workers, seconds)
    assert two.seconds_per_worker == pytest.approx(one.seconds_per_worker / 2)


def test_percentiles_interpolate() -> None:
    assert percentile([40, 10, 20, 30], 50) == 25
    assert percentile([7], 99) == 7


@given(st.lists(SECONDS, min_size=1), st.floats(0, 100), st.floats(0, 100))
def test_percentiles_lie_within_and_rise(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert min(values) <= percentile(values, low) <= percentile(values, high) + 1e-9
    assert percentile(values, high) <= max(values)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 101), ([1.0], -1), ([1.0], math.nan)])
def test_a_percentile_of_nothing_or_beyond_all_is_refused(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        percentile(values, percent)


def test_the_first_build_is_expected_to_take_what_it_is_told() -> None:
    assert expected_seconds([], otherwise=45) == 45
    assert expected_seconds([10, 20, 60], otherwise=45) == 30
