"""Evaluation of the policies: datapoints in, desired capacities out. The arithmetic of alarms is the simulator's."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auto_lambda_cli.local_stack.fleet.rules import Metric, Rules, StepPolicy, TrackingPolicy

if TYPE_CHECKING:
    from checker.simulator.alarms import Alarm, TargetTracking

DELAY = 3.0
"""Seconds after the end of a period until an alarm sees its datapoint, as in docs/explanation/scaling.md."""
_BREACHES = {
    "GreaterThanThreshold": (operator.gt, ">"),
    "GreaterThanOrEqualToThreshold": (operator.ge, ">="),
    "LessThanThreshold": (operator.lt, "<"),
    "LessThanOrEqualToThreshold": (operator.le, "<="),
}
Datapoint = Callable[[Metric, float], float | None]
"""The statistic over the metric's period that begins at a time (seconds of the epoch); None without any sample."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a group: its desired capacity, and how many instances have warmed up.

    ``growing``: instances are pending or warming up, which prevents scale-in.
    """

    desired: int
    warm: int
    growing: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """A new desired capacity, and which alarm sets it for which value."""

    desired: int
    why: str


class Scaling:
    """All policies of a group.

    Args:
        rules: the group's rules.
        datapoint: reads a datapoint.
        now: seconds since the epoch; periods that end before do not count.
    """

    def __init__(self, rules: Rules, datapoint: Datapoint, now: float) -> None:
        self._datapoint = datapoint
        self._policies: Sequence[_Step | _Tracking] = (
            *(_Step(step) for step in rules.steps),
            *(_Tracking(tracking) for tracking in rules.tracking),
        )
        self._seen = {metric: self._visible(metric, now) for metric in {it.metric for it in self._policies}}

    def wishes(self, now: float, size: Callable[[], Size]) -> Iterator[Wish]:
        """Evaluate the periods that have become visible since the last call; ``size`` is read for each."""
        for metric, seen in self._seen.items():
            visible = self._seen[metric] = self._visible(metric, now)
            for period in range(seen, visible):
                value = self._datapoint(metric, period * metric.period)
                moment = (period + 1) * metric.period + DELAY
                for policy in self._policies:
                    if policy.metric == metric and (wish := policy.wish(value, moment, size())):
                        yield wish

    @staticmethod
    def _visible(metric: Metric, now: float) -> int:
        """Return the number of periods since the epoch that an alarm can see."""
        return math.floor((now - DELAY) / metric.period)


class _Step:
    def __init__(self, step: StepPolicy) -> None:
        self._step = step
        self.metric = step.metric
        self._breaches, self._sign = _BREACHES[step.comparison]
        self._alarm = _alarm(lambda value: self._breaches(value, step.threshold), step.points)

    def wish(self, value: float | None, moment: float, size: Size) -> Wish | None:
        if value is None and self._step.missing != "notBreaching":
            return None
        if not self._alarm.invokes(math.nan if value is None else value, moment) or value is None:
            return None  # nothing compares with NaN, so it never breaches
        desired = self._desired(value - self._step.threshold, size)
        if desired == size.desired or (desired < size.desired and size.growing):
            return None
        step = self._step
        return Wish(desired, f"{step.metric.name} {value:g} {self._sign} {step.threshold:g}, alarm {step.alarm}")

    def _desired(self, excess: float, size: Size) -> int:
        """Apply the steps as AWS does: above the threshold the lower bound is inclusive, below it the upper one.

        https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
        """
        change = next(
            (
                by
                for low, high, by in self._step.steps
                if (low <= excess < high if excess >= 0 else low < excess <= high)
            ),
            None,
        )
        if change is None:
            return size.desired
        return change if self._step.adjustment == "ExactCapacity" else size.desired + change


class _Tracking:
    def __init__(self, tracking: TrackingPolicy) -> None:
        self._tracking = tracking
        self.metric = tracking.metric
        self._policy = _target_tracking(tracking)

    def wish(self, value: float | None, moment: float, size: Size) -> Wish | None:
        if value is None:
            return None
        desired = self._policy.desired(
            value, moment, desired=size.desired, warm=size.warm, busy_scaling_out=size.growing
        )
        if desired == size.desired:
            return None
        aim = f"{self.metric.name} {value:g} for a target of {self._tracking.target:g}"
        return Wish(desired, f"{aim}, {size.warm} warm, policy {self._tracking.policy}")


def _alarm(breaches: Callable[[float], bool], points: int) -> Alarm:
    from checker.simulator.alarms import Alarm

    return Alarm(breaches, points)


def _target_tracking(tracking: TrackingPolicy) -> TargetTracking:
    from checker.simulator.alarms import TargetTracking

    return TargetTracking(tracking.target) if tracking.scales_in else TargetTracking(tracking.target, in_=None)
