"""The aim that the template's defaults were tuned for; docs/explanation/scaling.md has the study."""

from __future__ import annotations

from statistics import mean

import pytest

from checker.simulator import arrivals, durations
from checker.simulator.compare import compare, known
from checker.simulator.model import Fleet
from checker.simulator.policies import ours
from checker.simulator.report import ReportRow, row

FLEET = Fleet()


def rows(load: str, seed: int) -> dict[str, ReportRow]:
    drops = arrivals.make(arrivals.SHAPES[load], durations.parse("lognormal:40,120"), seed)
    policies = [(name, policy) for name, policy in known(ours()).items() if name in ("prompt", "ours", "five-minute")]
    return {outcome.policy: row(outcome, FLEET) for outcome in compare(drops, FLEET, policies, seed)}


@pytest.mark.parametrize(("load", "seeds"), [("burst", 8), ("diurnal", 1)])
def test_waits_and_cost_stay_near_those_of_a_fleet_that_reacts_at_once(load: str, seeds: int) -> None:
    days = [rows(load, seed) for seed in range(seeds)]
    assert mean(day["ours"].wait_p95 / day["prompt"].wait_p95 for day in days) <= 1.25  # type: ignore[operator]
    assert mean(day["ours"].cost / day["prompt"].cost for day in days) <= 1.1
    assert all(day["ours"].wait_p95 <= day["five-minute"].wait_p95 / 5 for day in days)  # type: ignore[operator]
    assert all(day["ours"].stopped_busy == 0 for day in days)
