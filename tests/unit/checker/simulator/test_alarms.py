from __future__ import annotations

import pytest

from checker.simulator.alarms import Alarm, TargetTracking, tracked_capacity
from checker.simulator.policies import SIZES, TARGET, ours, steps


def invocations(alarm: Alarm, values: list[float], period: float = 10) -> list[float]:
    return [number * period for number, value in enumerate(values) if alarm.invokes(value, number * period)]


def above_five(points: int) -> Alarm:
    return Alarm(lambda value: value > 5, points)


def test_an_alarm_takes_its_datapoints_in_a_row() -> None:
    assert invocations(above_five(3), [9, 9, 1, 9, 9, 9]) == [50]


def test_an_alarm_that_stays_invokes_once_a_minute_however_short_its_period_is() -> None:
    assert invocations(above_five(1), [9] * 20) == [0, 60, 120, 180]


def test_an_alarm_that_went_back_to_ok_invokes_at_once() -> None:
    assert invocations(above_five(1), [9, 1, 9]) == [0, 20]


def test_alarms_of_one_to_six_datapoints_together_invoke_every_period() -> None:
    alarms = [above_five(points) for points in range(1, 7)]
    for now in range(0, 200, 10):
        invoked = [alarm.invokes(9, now) for alarm in alarms]
        assert any(invoked)


@pytest.mark.parametrize(
    ("current", "value", "capacity"),
    [(10, 90, 15), (10, 63, 11), (10, 60, 10), (10, 31, 6), (3, 20, 1), (10, 0, 0), (0, 1000, 0)],
)
def test_capacity_follows_the_metric_rounded_to_the_safe_side(current: int, value: float, capacity: int) -> None:
    assert tracked_capacity(current, value, target=60) == capacity


def desired(policy: TargetTracking, values: list[float], **state: int) -> list[int]:
    now = {"desired": 10, "warm": 10, **state}
    return [policy.desired(value, 10.0 * number, busy_scaling_out=False, **now) for number, value in enumerate(values)]


def test_tracking_scales_out_on_the_third_datapoint() -> None:
    assert desired(TargetTracking(60), [90, 90, 90]) == [10, 10, 15]


def test_tracking_scales_in_on_the_fifteenth_datapoint_more_than_a_tenth_below() -> None:
    assert desired(TargetTracking(60), [30] * 15) == [10] * 14 + [5]
    assert desired(TargetTracking(60), [55] * 30) == [10] * 30


def test_a_datapoint_above_the_target_starts_the_count_for_scale_in_anew() -> None:
    policy = TargetTracking(60, out=1, in_=3)
    assert desired(policy, [1, 1, 90, 1, 1, 90, 1, 1]) == [10, 10, 15, 10, 10, 15, 10, 10]
    assert desired(TargetTracking(60, out=1, in_=3), [1, 1, 90, 1, 1, 1]) == [10, 10, 15, 10, 10, 1]


def test_tracking_with_scale_in_disabled_never_lowers() -> None:
    assert desired(TargetTracking(60, in_=None), [0] * 50) == [10] * 50


def test_machines_on_their_way_are_no_capacity_but_not_ordered_twice() -> None:
    assert desired(TargetTracking(60), [90] * 3, desired=15, warm=10)[-1] == 15


def test_no_scale_in_starts_while_scale_out_is_under_way() -> None:
    policy = TargetTracking(60)
    heard = [policy.desired(1, 10.0 * n, desired=9, warm=5, busy_scaling_out=True) for n in range(30)]
    assert set(heard) == {9}


def test_steps_give_each_worker_the_target_and_fit_the_quota() -> None:
    step = ours().step
    assert step is not None
    assert len(step.steps) <= 20
    assert [step.capacity(TARGET * load) for load in (0.1, 0.9, 1, 5.5, 6, 40, 1000)] == [1, 1, 2, 6, 8, 44, SIZES[-1]]
    assert steps(60, (1, 2)) == ((0.0, 1), (60.0, 2))
