"""What a sample says of queue, group and ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auto_lambda.attempts import Attempt, OutcomeName
from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.sqs import Depth
from checker.backlog import FIRST_GUESS
from checker.sample import Sample, Sampler

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DEPTH = Depth(visible=3, in_flight=2, delayed=1)
MACHINES = Capacity(in_service=2, pending=1, leaving=4, desired=3)


@dataclass
class Fake:
    """Queue, group and history in one."""

    there: Depth = DEPTH
    machines: Capacity = MACHINES
    attempts: Sequence[Attempt] = ()

    def depth(self) -> Depth:
        return self.there

    def capacity(self) -> Capacity:
        return self.machines

    def newest(self, at_most: int) -> Sequence[Attempt]:
        return self.attempts[:at_most]


def attempt(seconds: float | None, outcome: OutcomeName | None = "live", subject: str = "a") -> Attempt:
    began = NOON - timedelta(minutes=10)
    ended = None if seconds is None else began + timedelta(seconds=seconds)
    return Attempt(subject, None, None, 1, began, began, ended, outcome)


def sample(fake: Fake, slots: int = 1) -> dict[str, float]:
    return Sampler(fake, fake, lambda: NOON, group=fake, history=fake, slots=slots)().metrics()


def test_only_machines_in_service_are_capacity() -> None:
    metrics = sample(Fake())
    assert metrics["WorkersInService"] == 2
    assert metrics["BacklogPerWorker"] == 2.5


def test_the_backlog_is_weighed_with_what_recent_builds_took() -> None:
    light = sample(Fake(attempts=[attempt(10)]))
    heavy = sample(Fake(attempts=[attempt(100)]))
    assert heavy["BacklogSeconds"] == 10 * light["BacklogSeconds"] == 400


def test_a_queue_without_a_worker_group_has_a_backlog_all_the_same() -> None:
    fake = Fake()
    metrics = Sampler(fake, fake, lambda: NOON, history=fake)().metrics()
    assert metrics["BacklogSeconds"] == 4 * FIRST_GUESS
    assert not {"BacklogPerWorker", "BacklogSecondsPerWorker", "BacklogSecondsWithoutWorkers"} & set(metrics)


def test_before_the_first_build_a_guess_is_made_and_no_percentiles_are_told() -> None:
    metrics = sample(Fake())
    assert metrics["BacklogSeconds"] == 4 * FIRST_GUESS
    assert "BuildSecondsP50" not in metrics


def test_attempts_that_were_cut_short_tell_nothing_about_builds() -> None:
    attempts = [attempt(None, None), attempt(1, "handed back"), attempt(30), attempt(50, "failed")]
    metrics = sample(Fake(attempts=attempts))
    assert metrics["BuildSecondsP50"] == 40


def test_busy_workers_are_at_least_as_many_as_the_messages_in_hand_need() -> None:
    assert sample(Fake())["WorkersBusy"] == 2
    assert sample(Fake(), slots=2)["WorkersBusy"] == 1
    assert sample(Fake(there=Depth(0, 90, 0)))["WorkersBusy"] == 2


def test_idle_workers_are_surely_idle() -> None:
    machines = Capacity(in_service=5, pending=0, leaving=0, desired=5)
    assert sample(Fake(there=Depth(0, 2, 9), machines=machines), slots=4)["WorkersIdle"] == 3
    assert sample(Fake(there=Depth(1, 2, 0), machines=machines))["WorkersIdle"] == 2
    assert sample(Fake(there=Depth(90, 2, 0), machines=machines))["WorkersIdle"] == 0


def test_a_single_box_has_no_metrics_of_a_group() -> None:
    fake = Fake()
    metrics = Sampler(fake, fake, lambda: NOON)().metrics()
    assert not [name for name in metrics if "Worker" in name or name.startswith("Build")]
    assert metrics["CheckerHeartbeat"] == 1


def test_idle_is_an_empty_queue_with_nothing_on_its_way() -> None:
    nobody, coming = Capacity(0, 0, 0, 0), Capacity(0, 1, 0, 1)
    empty = Depth(0, 0, 0)
    assert Sample(NOON, empty, capacity=nobody).idle
    assert Sample(NOON, empty).idle
    assert not Sample(NOON, empty, capacity=coming).idle
    assert not any(Sample(NOON, depth).idle for depth in (Depth(1, 0, 0), Depth(0, 1, 0), Depth(0, 0, 1)))


def test_messages_that_come_while_we_watch_are_no_older_than_the_last_empty_look() -> None:
    fake = Fake(there=Depth(0, 0, 0), attempts=[attempt(1)])
    times = iter([NOON, NOON + timedelta(seconds=5), NOON + timedelta(seconds=10)])
    sampler = Sampler(fake, None, lambda: next(times), history=fake)
    assert sampler().oldest == 0
    fake.there = Depth(2, 0, 0)
    assert sampler().oldest == 5
    assert sampler().oldest == 10
