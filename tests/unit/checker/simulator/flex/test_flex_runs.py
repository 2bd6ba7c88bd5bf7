from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_lambda_cli.flex_step import controller
from checker.simulator.flex.demand import DAY, SHAPES, BadDemand, made, recorded
from checker.simulator.flex.fronts import FargateFront, LambdaFront
from checker.simulator.flex.model import FlexApp, FlexOutcome, Thresholds
from checker.simulator.flex.prices import PRICES, break_even, request_cost
from checker.simulator.flex.report import flex_row, search
from checker.simulator.flex.run import fargate_only, flex, lambda_only

APP, LIMITS = FlexApp(), Thresholds(above=100, below=50, min_tasks=6)


def requests(outcome: FlexOutcome) -> float:
    return sum(count for minute in outcome.minutes for _, count in minute.latencies)


def plateau(high: float, minutes: int, after: int = 120) -> list[float]:
    """Low demand, then high demand for some minutes, then low again."""
    return [5.0] * 30 + [high] * minutes + [5.0] * after


def test_demand_that_lasts_moves_the_app_and_ends_where_it_began() -> None:
    outcome = flex(plateau(130, 90), APP, LIMITS, controller())
    phases = [minute.phase for minute in outcome.minutes]
    assert list(dict.fromkeys(phases)) == ["lambda", "both", "fargate"]
    assert phases[-1] == "lambda"
    assert outcome.minutes[-1].tasks == 0
    assert max(minute.share for minute in outcome.minutes) == 1
    assert all(minute.failed == 0 for minute in outcome.minutes)


def test_a_short_spike_moves_nothing() -> None:
    outcome = flex(plateau(130, 2), APP, LIMITS, controller())
    assert {minute.phase for minute in outcome.minutes} == {"lambda"}


def test_too_few_tasks_at_the_move_lose_requests() -> None:
    def lost(tasks: int) -> float:
        limits = replace(LIMITS, min_tasks=tasks)
        return flex_row(flex(plateau(250, 90), APP, limits, controller())).failed

    assert lost(2) > lost(5) > lost(12) == 0


demands = st.lists(st.floats(0, 500), min_size=1, max_size=200)


@settings(max_examples=40)
@given(demands)
def test_no_request_is_lost_from_the_books(demand: list[float]) -> None:
    wanted = sum(demand) * 60
    assert requests(lambda_only(demand, APP)) == pytest.approx(wanted)
    for outcome in (fargate_only(demand, APP, LIMITS), flex(demand, APP, LIMITS, controller())):
        failed = sum(minute.failed for minute in outcome.minutes)
        assert requests(outcome) + failed <= wanted + 1e-6
        assert requests(outcome) + failed >= wanted - 500 * 29 - 500 * 60, "but for what still waits"


@settings(max_examples=40)
@given(demands)
def test_flex_costs_nothing_more_than_lambda_while_it_stays_there(demand: list[float]) -> None:
    never = flex(demand, APP, LIMITS, lambda _: None)
    assert [one.cost for one in never.minutes] == [one.cost for one in lambda_only(demand, APP).minutes]


def test_cold_starts_come_with_rising_demand_and_after_a_pause() -> None:
    front = LambdaFront(APP)

    def cold(demand: float) -> float:
        return front.minute(demand)[1][1]

    assert cold(10) > 0
    assert cold(10) == 0
    assert cold(40) > 0
    for _ in range(10):
        front.minute(0)
    assert cold(10) > 0


def test_tasks_follow_demand_within_their_bounds() -> None:
    front = FargateFront(APP, replace(LIMITS, min_tasks=2, max_tasks=8))
    front.begin(2)
    counts = []
    for demand in [100.0] * 30 + [500.0] * 30 + [1.0] * 60:
        front.minute(demand)
        counts.append(front.tasks)
    assert counts[29] == 7
    assert counts[59] == 8
    assert counts[-1] == 2


def test_requests_wait_where_there_are_too_few_tasks() -> None:
    front = FargateFront(APP, replace(LIMITS, min_tasks=1, max_tasks=1))
    front.begin(1)
    quiet, _ = front.minute(APP.per_task / 2)
    busy, failed = front.minute(APP.per_task * 1.2)
    assert quiet[0][0] < 0.2 < busy[0][0]
    assert failed == 0
    for _ in range(10):
        busy, failed = front.minute(APP.per_task * 1.2)
    assert failed > 0


def test_from_the_break_even_on_fargate_is_cheaper() -> None:
    even = break_even(APP, 2, 0.6)
    for demand, cheaper in ((even * 0.8, False), (even * 1.2, True)):
        load = [demand] * 600
        limits = replace(LIMITS, min_tasks=2)
        assert (flex_row(fargate_only(load, APP, limits)).month < flex_row(lambda_only(load, APP)).month) is cheaper


@given(st.integers(1, 20), st.integers(1, 20))
def test_more_standing_tasks_pay_later(some: int, more: int) -> None:
    assert break_even(APP, some, 0.6) <= break_even(APP, some + more, 0.6)


def test_what_never_pays_has_no_break_even() -> None:
    heavy = FlexApp(seconds=0.001, busy=0.5, memory=128)
    assert break_even(heavy, 1, 0.6) == float("inf")


def test_prices_of_lambda_are_those_of_the_workers_table() -> None:
    table = json.loads((Path(__file__).parents[5] / "worker/bundle/prices.json").read_text())
    assert PRICES["lambda_request"] == table["request"]
    assert PRICES["lambda_gb_second"] == table["gb_second"]
    assert (PRICES["region"], PRICES["as_of"]) == (table["region"], table["as_of"])
    assert request_cost(FlexApp(api="rest")) > request_cost(APP)


def test_the_search_finds_the_cheapest_that_loses_nothing() -> None:
    load = plateau(130, 600, after=600)
    found = search(load, APP, LIMITS, controller(), (60, 400))
    assert [one.row.month for one in found if not one.row.failed] == sorted(
        one.row.month for one in found if not one.row.failed
    )
    assert found[0].thresholds.above == 60
    assert found[0].row.moves


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_made_demand_is_the_same_every_time_and_reaches_its_peak(name: str) -> None:
    demand = made(name, 100, 7, seed=1)
    assert demand == made(name, 100, 7, seed=1) != made(name, 100, 7, seed=2)
    assert len(demand) == 7 * DAY
    assert 80 < max(demand) < 150
    assert min(demand) >= 0


def test_a_recording_is_spread_over_the_minutes_between_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "requests.csv"
    file.write_text(
        "time,requests\n2026-03-01T09:00:00Z,0\n2026-03-01T09:01:00Z,600\n2026-03-01T09:06:00Z,1500\n"
        "2026-03-01T12:00:00Z,9999\n"
    )
    demand = recorded(file)
    assert demand[:7] == [10.0, 5.0, 5.0, 5.0, 5.0, 5.0, 0.0]
    assert set(demand[6:]) == {0.0}, "what was not recorded is none"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n3,4\n", "no column «time»"),
        ("time,requests\n0,1\n", "fewer than two rows"),
        ("time,requests\n0,1\n60,x\n", "line 3"),
        ("time,requests\n0,1\n60,-1\n", "line 3"),
        ("time,requests\n0,1\nnan,1\n", "line 3"),
        ("time,requests\n60,1\n0,1\n", "rise"),
        ("time,requests\n0,1\n99999999999,1\n", "400 days"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "requests.csv"
    file.write_text(text)
    with pytest.raises(BadDemand, match=reason):
        recorded(file)
