from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.simulator import arrivals, bounds, durations, policies
from checker.simulator.controllers import run
from checker.simulator.model import Arrival, Fleet, SimulationOutcome
from checker.simulator.report import queue_over_time, row, workers_over_time
from checker.simulator.world import World

REAL = (policies.ours(), *policies.OTHERS)
LOADS = st.lists(st.tuples(st.floats(0, 4000), st.floats(1, 400)), max_size=40).map(
    lambda pairs: [Arrival(at, seconds) for at, seconds in sorted(pairs)]
)
FLEETS = st.builds(
    lambda boot, slots, smallest, more: Fleet(boot=boot, slots=slots, smallest=smallest, largest=smallest + more),
    st.floats(1, 200),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 12),
)


def steps(most: list[tuple[float, int]]) -> list[int]:
    return [count for _, count in most]


@settings(max_examples=60, deadline=None)
@given(LOADS, FLEETS, st.sampled_from(REAL), st.integers(0, 5))
def test_no_drop_is_lost_doubled_or_done_before_it_fell(
    drops: list[Arrival], fleet: Fleet, policy: policies.Policy, seed: int
) -> None:
    outcome = run(policy, drops, fleet, seed)
    assert Counter(job.drop for job in outcome.jobs) == Counter(drops)
    for job in outcome.jobs:
        assert job.started is None or job.started >= job.drop.at
        if job.finished is None:
            # Who stops busy machines may never get through with a long build; then nothing else can be the reason.
            assert not policy.protect
            assert outcome.killed > 0
        else:
            assert job.started is not None
            assert job.finished == pytest.approx(job.started + job.drop.seconds)
    assert all(wait >= 0 for wait in outcome.waits())
    assert all(count >= 0 for count in steps(queue_over_time(outcome)))
    assert row(outcome, fleet).unfinished == sum(job.finished is None for job in outcome.jobs)


@settings(max_examples=60, deadline=None)
@given(LOADS, FLEETS, st.sampled_from(REAL), st.integers(0, 5))
def test_the_group_stays_within_its_bounds_and_pays_for_all_work(
    drops: list[Arrival], fleet: Fleet, policy: policies.Policy, seed: int
) -> None:
    outcome = run(policy, drops, fleet, seed)
    assert max(steps(workers_over_time(outcome)), default=0) <= fleet.largest
    built = sum(job.drop.seconds for job in outcome.jobs if job.finished is not None)
    assert outcome.machine_seconds() * fleet.slots >= built - 1e-6
    assert all(machine.ordered <= machine.ready <= machine.stopped for machine in outcome.machines)
    if policy.protect:
        assert outcome.killed == 0


@settings(max_examples=60, deadline=None)
@given(LOADS, FLEETS, st.sampled_from([policy for policy in REAL if policy.protect]))
def test_nothing_starts_sooner_than_with_the_clairvoyant(
    drops: list[Arrival], fleet: Fleet, policy: policies.Policy
) -> None:
    bound = bounds.clairvoyant(drops, fleet)
    for job, best in zip(run(policy, drops, fleet).jobs, bound.jobs, strict=True):
        assert job.started is not None
        assert best.started is not None
        assert best.started <= job.started + 1e-6


@settings(max_examples=60, deadline=None)
@given(LOADS, FLEETS)
def test_the_clairvoyant_lets_nothing_wait_while_it_may_have_machines(drops: list[Arrival], fleet: Fleet) -> None:
    ample = replace(fleet, largest=len(drops) + 1)
    assert set(bounds.clairvoyant(drops, ample).waits()) <= {0}
    assert all(wait <= fleet.boot + 1e-6 for wait in bounds.prompt(drops, ample).waits())


@pytest.mark.parametrize("policy", [policies.ONE_MINUTE, policies.FIVE_MINUTE])
def test_without_protection_a_build_longer_than_scale_in_waits_never_gets_through(policy: policies.Policy) -> None:
    drops, fleet = [Arrival(0, 2400)], Fleet()
    assert row(run(policy, drops, fleet), fleet).unfinished == 1
    assert row(run(replace(policy, protect=True), drops, fleet), fleet).unfinished == 0


def busy_at_scale_in(*, protect: bool) -> SimulationOutcome:
    fleet = Fleet(boot=10, largest=3)
    world = World([Arrival(0, 100), Arrival(0, 100)], fleet, protect=protect, idle=None, seed=0)
    world.set_desired(2)
    world.env.run(until=50)
    world.set_desired(0)
    world.env.run(until=60)
    if not protect:
        world.set_desired(2)
    world.env.run(until=world.done if protect else 400)
    return SimulationOutcome("", world.jobs(), world.machines(), world.killed, world.env.now)


def test_a_protected_machine_ends_when_it_is_idle() -> None:
    outcome = busy_at_scale_in(protect=True)
    assert outcome.killed == 0
    assert [machine.stopped for machine in outcome.machines] == [110, 110]
    assert [job.interrupted for job in outcome.jobs] == [0, 0]


def test_a_build_that_is_stopped_is_seen_again_and_done_again() -> None:
    outcome = busy_at_scale_in(protect=False)
    assert outcome.killed == 2
    assert [job.interrupted for job in outcome.jobs] == [1, 1]
    assert [job.started for job in outcome.jobs] == [170, 170]


def test_the_same_seed_gives_the_same_day_and_another_one_another() -> None:
    shape = arrivals.SHAPES["release"]
    builds = durations.parse("lognormal:40,120")
    drops = arrivals.make(shape, builds, seed=3, drops=200)
    assert drops == arrivals.make(shape, builds, seed=3, drops=200)
    assert drops != arrivals.make(shape, builds, seed=4, drops=200)
    assert run(policies.ONE_MINUTE, drops, Fleet(), 5) == run(policies.ONE_MINUTE, drops, Fleet(), 5)


def test_a_fleet_that_may_have_no_machine_ready_in_a_day_leaves_drops_undone_and_says_so() -> None:
    fleet = Fleet(boot=200_000)
    outcome = run(policies.ours(), [Arrival(0, 10)], fleet)
    assert row(outcome, fleet).unfinished == 1
    assert outcome.jobs[0].wait is None


def test_machines_that_come_at_once_are_not_multiplied_with_a_datapoint_from_before_they_came() -> None:
    drops = arrivals.make(arrivals.SHAPES["burst"], durations.parse("fixed:50"), seed=1)
    most = {
        warmup: row(run(replace(policies.ours(warmup=warmup)), drops, Fleet(largest=200)), Fleet()).most_machines
        for warmup in (0, 30)
    }
    assert most[30] <= 44
    assert most[0] > most[30]


def burst_of_new_apps(count: int) -> list[Arrival]:
    return [Arrival(0.0, 40.0, new_api=True) for _ in range(count)]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.sampled_from([5.0, 30.0]), st.integers(0, 5))
def test_apis_are_made_no_faster_than_the_account_may(count: int, seconds: float, seed: int) -> None:
    outcome = run(policies.ours(), burst_of_new_apps(count), Fleet(api_seconds=seconds), seed)
    finished = sorted(job.finished for job in outcome.jobs if job.finished is not None)
    assert len(finished) == count
    assert all(later - earlier >= seconds - 1e-6 for earlier, later in itertools.pairwise(finished))


def test_a_burst_of_new_apps_waits_for_the_quota_and_one_of_known_apps_does_not() -> None:
    new = run(policies.ours(), burst_of_new_apps(30), Fleet(api_seconds=30), 1)
    known = run(
        policies.ours(), [replace(drop, new_api=False) for drop in burst_of_new_apps(30)], Fleet(api_seconds=30), 1
    )
    told, free = row(new, Fleet()), row(known, Fleet())
    assert told.put_off > 0
    assert free.put_off == 0
    assert told.done_p95 is not None
    assert free.done_p95 is not None
    assert told.done_p95 > 29 * 30 * 0.9 > free.done_p95


def test_a_drop_that_waits_for_the_quota_occupies_no_machine() -> None:
    outcome = run(policies.ours(), burst_of_new_apps(2), Fleet(api_seconds=600), 1)
    assert outcome.machine_seconds() < 600
    assert row(outcome, Fleet()).unfinished == 0
