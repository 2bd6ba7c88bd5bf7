"""The checker's pace, and what a failing tick does: nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.sqs import Depth
from auto_lambda.daemon.service import Notifier, Stop
from checker.backlog import FIRST_GUESS
from checker.loop import AHEAD, LONG, Loop, Pace, until_beat
from checker.publish import to_errors, to_metrics, to_text
from checker.sample import Sample, Sampler

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SAMPLE = Sample(NOON, Depth(3, 2, 1), 4)


@dataclass
class FakeQueue:
    answer: Depth | Exception

    def depth(self) -> Depth:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Clockwork:
    """A clock that only moves when somebody waits or works."""

    now: float = 0.0
    ticks: list[float] = field(default_factory=list)
    until: float = 20.0
    work: float = 0.0

    def wait(self, stop: Stop, seconds: float) -> bool:
        self.now += max(0.0, seconds)
        return self.now > self.until

    def sampler(self) -> Sample:
        self.ticks.append(self.now)
        self.now += self.work
        return SAMPLE

    def run(self, interval: float = 5.0, sampler: Callable[[], Sample] | None = None) -> list[float]:
        loop = Loop(
            sampler or self.sampler, lambda _: None, pace=Pace(interval, 30), notifier=Notifier({}),
            clock=lambda: self.now, now=lambda: self.now, wait=self.wait,
        )  # fmt: skip
        loop.run(Stop())
        return self.ticks


def test_a_sample_has_a_metric_for_each_kind_of_waiting() -> None:
    sample = Sampler(FakeQueue(Depth(3, 2, 1)), FakeQueue(Depth(4, 0, 0)), lambda: NOON)()
    assert sample.metrics() == {
        "QueueVisible": 3, "QueueInFlight": 2, "QueueDelayed": 1, "DeadLetters": 4, "CheckerHeartbeat": 1,
        "BacklogSeconds": 4 * FIRST_GUESS,
    }  # fmt: skip


def test_without_a_dead_letter_queue_there_is_no_such_metric() -> None:
    assert "DeadLetters" not in Sampler(FakeQueue(Depth(3, 2, 1)), None, lambda: NOON)().metrics()


def test_known_bug_8_dead_letters_are_published_as_a_level_in_every_sample() -> None:
    sampler = Sampler(FakeQueue(Depth(0, 0, 0)), FakeQueue(Depth(1, 0, 0)), lambda: NOON)
    assert [sampler().metrics()["DeadLetters"] for _ in range(3)] == [1, 1, 1]


def test_ticks_come_a_second_before_each_period_ends_the_first_at_once() -> None:
    assert Clockwork(now=3, work=0.3, until=30).run() == [3, 4, 9, 14, 19, 24, 29]


def test_a_slow_tick_leaves_out_the_ones_it_missed_and_keeps_the_beat() -> None:
    assert Clockwork(work=7.0, until=30).run() == [0, 9, 19, 29]


@pytest.mark.parametrize("broken", ["sample", "publish"])
def test_a_failing_tick_publishes_nothing_and_never_ends_the_loop(broken: str) -> None:
    published: list[Sample] = []
    failures = iter([True, False, True, False, False])

    def may_fail(where: str) -> None:
        if where == broken and next(failures):
            raise OSError("throttled")

    def sampler() -> Sample:
        may_fail("sample")
        return SAMPLE

    def publish(sample: Sample) -> None:
        may_fail("publish")
        published.append(sample)

    clock = Clockwork()
    loop = Loop(
        sampler, publish, pace=Pace(5, 30), notifier=Notifier({}), clock=lambda: clock.now, now=lambda: clock.now,
        wait=clock.wait,
    )  # fmt: skip
    loop.run(Stop())
    assert len(published) == 3


def test_a_wish_to_stop_ends_the_wait_at_once() -> None:
    stop = Stop()
    stop.request()
    ticks: list[int] = []
    loop = Loop(lambda: SAMPLE, lambda _: ticks.append(1), pace=Pace(60, 60), notifier=Notifier({}))
    loop.run(stop)
    assert ticks == []


def test_a_wish_to_stop_in_the_middle_of_a_tick_is_heard_before_the_next_one() -> None:
    stop, clock = Stop(), Clockwork(until=1000)

    def sampler() -> Sample:
        clock.ticks.append(clock.now)
        if len(clock.ticks) == 3:
            stop.request()
        return SAMPLE

    loop = Loop(
        sampler, lambda _: None, pace=Pace(5, 30), notifier=Notifier({}), clock=lambda: clock.now,
        now=lambda: clock.now, wait=lambda stop, seconds: stop.requested.is_set() or clock.wait(stop, seconds),
    )  # fmt: skip
    loop.run(stop)
    assert clock.ticks == [0, 4, 9]


@given(st.floats(1.7e9, 1.9e9), st.sampled_from([1, 2, 5, 10, 20, 30, 60]))
def test_a_tick_is_never_further_than_a_pause_and_its_tenth_nor_off_the_beat(now: float, pause: float) -> None:
    seconds = until_beat(now, pause)
    assert pause / 10 - 1e-6 <= seconds <= pause * 1.1 + 1e-6
    assert (now + seconds + AHEAD) % pause == pytest.approx(0, abs=1e-5) or (
        now + seconds + AHEAD
    ) % pause == pytest.approx(pause, abs=1e-5)


def test_two_checkers_at_once_publish_the_same_twice_and_share_nothing() -> None:
    queue = FakeQueue(Depth(3, 2, 1))
    published: list[dict[str, float]] = []
    samplers = [Sampler(queue, FakeQueue(Depth(1, 0, 0)), lambda: NOON) for _ in range(2)]
    loops = [
        Loop(one, lambda sample: published.append(sample.metrics()), pace=Pace(5, 30), notifier=Notifier({}))
        for one in samplers
    ]
    for loop in loops * 3:
        assert loop.tick()
    assert all(one == published[0] for one in published)


def test_metrics_are_published_under_the_queues_name() -> None:
    calls: list[tuple[object, object, object]] = []

    class Metrics:
        def publish(self, counts: object, dimensions: object, at: object) -> None:
            calls.append((counts, dimensions, at))

    to_metrics(Metrics(), "http://127.0.0.1:1/123456789012/drops")(SAMPLE)
    assert calls == [(SAMPLE.metrics(), {"QueueName": "drops"}, NOON)]


def test_a_sample_is_a_line_of_json_or_of_words() -> None:
    stream = io.StringIO()
    to_text(stream, as_json=True)(SAMPLE)
    to_text(stream, as_json=False)(SAMPLE)
    first, second = stream.getvalue().splitlines()
    assert json.loads(first) == {
        "at": "2026-01-02T12:00:00.000+00:00", "QueueVisible": 3, "QueueInFlight": 2, "QueueDelayed": 1,
        "DeadLetters": 4, "CheckerHeartbeat": 1, "BacklogSeconds": 4 * FIRST_GUESS,
    }  # fmt: skip
    assert "QueueVisible 3, QueueInFlight 2" in second


def throttled() -> Sample:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "PutMetricData")


def test_failed_ticks_are_counted_until_somebody_takes_the_count() -> None:
    told: list[int] = []
    deaf = iter([True, True, False, False])

    def failed(count: int) -> None:
        if next(deaf):
            raise OSError("CloudWatch is away too")
        told.append(count)

    def sampler() -> Sample:
        raise OSError("no network")

    loop = Loop(sampler, lambda _: None, pace=Pace(5, 30), notifier=Notifier({}), failed=failed)
    assert [loop.tick() for _ in range(4)] == [False] * 4
    assert told == [3, 1]


def test_errors_are_a_metric_of_their_own() -> None:
    calls: list[object] = []

    class Metrics:
        def publish(self, counts: object, dimensions: object, at: object) -> None:
            calls.append((counts, dimensions, at))

    to_errors(Metrics(), "http://127.0.0.1:1/1/drops", lambda: NOON)(2)
    assert calls == [({"CheckerErrors": 2}, {"QueueName": "drops"}, NOON)]


def test_throttling_makes_ticks_rarer_and_an_answer_makes_them_frequent_again() -> None:
    clock = Clockwork(until=100)
    answers = iter([throttled] * 3 + [lambda: SAMPLE] * 100)

    def sampler() -> Sample:
        clock.ticks.append(clock.now)
        return next(answers)()

    clock.run(sampler=sampler)
    assert clock.ticks[:6] == [0, 10, 30, 70, 74, 79]


def test_ticks_are_rarer_only_when_there_has_been_no_work_for_long() -> None:
    pace = Pace(5, 30)
    assert [pace.seconds(quiet, 0) for quiet in (0, LONG - 1, LONG, LONG + 60, LONG + 120, LONG + 9999)] == [
        5, 5, 10, 20, 30, 30,
    ]  # fmt: skip


def test_a_pace_is_never_slower_than_the_period_that_it_was_given_nor_faster_than_its_own() -> None:
    assert Pace(5, 10).seconds(LONG * 100, 0) == 10
    assert Pace(60, 30).seconds(LONG * 100, 0) == 60


def test_an_idle_loop_slows_down_and_work_wakes_it() -> None:
    clock = Clockwork(until=LONG + 300)
    idle = Sample(NOON, Depth(0, 0, 0))

    def sampler() -> Sample:
        clock.ticks.append(clock.now)
        return SAMPLE if LONG + 150 < clock.now < LONG + 200 else idle

    clock.run(sampler=sampler)
    pauses = [after - before for before, after in zip(clock.ticks, clock.ticks[1:], strict=False)]
    assert max(pauses) == 30
    assert pauses[1] == pauses[-1] == 5
