"""Policies at work: which datapoints make a group larger or smaller, and when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from auto_lambda_cli.local_stack.fleet.rules import Metric, Rules, StepPolicy, TrackingPolicy
from auto_lambda_cli.local_stack.fleet.scaling import DELAY, Scaling, Size

BACKLOG = Metric("AutoLambda", "BacklogSecondsWithoutWorkers", (("QueueName", "q"),), "Maximum", 10)
PER_WORKER = Metric("AutoLambda", "BacklogSecondsPerWorker", (("QueueName", "q"),), "Average", 10)
IDLE = Metric("AutoLambda", "WorkersIdle", (("QueueName", "q"),), "Minimum", 60)
INFINITE = float("inf")
LEAVE_ZERO = StepPolicy(
    "leave-zero", "policy", BACKLOG, "GreaterThanThreshold", 0, 1, "notBreaching", "ExactCapacity",
    ((0, 60, 1), (60, 120, 2), (120, INFINITE, 3)),
)  # fmt: skip
LET_GO = StepPolicy(
    "idle", "policy", IDLE, "GreaterThanOrEqualToThreshold", 1, 2, "notBreaching", "ChangeInCapacity",
    ((0, 1, -1), (1, INFINITE, -2)),
)  # fmt: skip
FOLLOW = TrackingPolicy("follow", PER_WORKER, 60, scales_in=False)


@dataclass
class Cloud:
    """A group of any size whose metrics are given; times are seconds, and 0 is the beginning of a period."""

    steps: tuple[StepPolicy, ...] = ()
    tracking: tuple[TrackingPolicy, ...] = ()
    size: Size = field(default_factory=lambda: Size(0, 0, growing=False))
    values: dict[tuple[str, float], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules = Rules("workers", 0, 10, 30, None, self.tracking, self.steps)
        self.scaling = Scaling(rules, lambda metric, start: self.values.get((metric.name, start)), now=0.0)

    def datapoints(self, metric: Metric, *values: float | None) -> None:
        self.values |= {
            (metric.name, place * float(metric.period)): value
            for place, value in enumerate(values)
            if value is not None
        }

    def wants(self, now: float) -> list[int]:
        return [wish.desired for wish in self.scaling.wishes(now, lambda: self.size)]


def test_a_period_counts_when_it_is_over_and_could_be_seen_and_only_once() -> None:
    cloud = Cloud((LEAVE_ZERO,))
    cloud.datapoints(BACKLOG, 70)
    assert cloud.wants(10 + DELAY - 0.1) == []
    assert cloud.wants(10 + DELAY) == [2]
    assert cloud.wants(19) == []


def test_what_had_happened_before_it_began_does_not_count() -> None:
    cloud = Cloud()
    cloud.datapoints(BACKLOG, 70)
    late = Scaling(Rules("workers", 0, 10, 30, None, (), (LEAVE_ZERO,)), lambda *_: 70.0, now=10 + DELAY)
    assert list(late.wishes(11 + DELAY, lambda: cloud.size)) == []


def test_the_step_is_the_one_that_the_value_falls_into_and_the_reason_is_told() -> None:
    for value, desired in ((1, 1), (59.9, 1), (60, 2), (1e6, 3)):
        cloud = Cloud((LEAVE_ZERO,))
        cloud.datapoints(BACKLOG, value)
        (wish,) = cloud.scaling.wishes(13, lambda: Size(0, 0, growing=False))
        assert wish.desired == desired
        assert f"BacklogSecondsWithoutWorkers {value:g} > 0, alarm leave-zero" in wish.why


def test_an_alarm_acts_when_it_goes_off_and_then_once_a_minute() -> None:
    cloud = Cloud((LEAVE_ZERO,))
    cloud.datapoints(BACKLOG, *[70.0] * 8)
    assert [len(cloud.wants(10 * period + DELAY)) for period in range(1, 9)] == [1, 0, 0, 0, 0, 0, 1, 0]


def test_an_alarm_of_several_datapoints_wants_them_in_a_row_and_a_missing_one_does_not_breach() -> None:
    cloud = Cloud((replace(LEAVE_ZERO, points=3),))
    cloud.datapoints(BACKLOG, 70, 70, None, 70, 70, 70)
    assert [cloud.wants(10 * period + DELAY) for period in range(1, 7)] == [[], [], [], [], [], [2]]


def test_late_looks_make_up_for_each_period() -> None:
    cloud = Cloud((replace(LEAVE_ZERO, points=2),))
    cloud.datapoints(BACKLOG, 70, 70)
    assert cloud.wants(25) == [2]


def test_an_exact_capacity_takes_none_away_while_machines_are_on_their_way() -> None:
    cloud = Cloud((LEAVE_ZERO,), size=Size(3, 0, growing=True))
    cloud.datapoints(BACKLOG, 70)
    assert cloud.wants(13) == []


def test_idle_machines_are_taken_away_but_not_while_others_come() -> None:
    cloud = Cloud((LET_GO,), size=Size(5, 5, growing=False))
    cloud.datapoints(IDLE, 1, 2, 2, 2, 2)
    assert (cloud.wants(60 + DELAY), cloud.wants(120 + DELAY)) == ([], [3])
    cloud.size = Size(5, 4, growing=True)
    assert cloud.wants(180 + DELAY) == []


def test_target_tracking_multiplies_what_is_warm_after_three_datapoints() -> None:
    cloud = Cloud(tracking=(FOLLOW,), size=Size(2, 2, growing=False))
    cloud.datapoints(PER_WORKER, 90, 90, 90)
    assert [cloud.wants(10 * period + DELAY) for period in range(1, 4)] == [[], [], [3]]


def test_target_tracking_without_scale_in_never_wants_less() -> None:
    cloud = Cloud(tracking=(FOLLOW,), size=Size(3, 3, growing=False))
    cloud.datapoints(PER_WORKER, *[0.0] * 30)
    assert cloud.wants(310) == []
    cloud = Cloud(tracking=(replace(FOLLOW, scales_in=True),), size=Size(3, 3, growing=False))
    cloud.datapoints(PER_WORKER, *[0.0] * 30)
    assert cloud.wants(310)[0] == 0
