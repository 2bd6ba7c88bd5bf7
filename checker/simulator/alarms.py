"""Alarms and target tracking as AWS documents them; the caller provides the time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

REPEAT = 60.0
LOW = 0.9


class Alarm:
    """An alarm with a scaling policy as its action: ``points`` consecutive datapoints must breach.

    While it stays in ALARM it invokes the policy once a minute, even if its period is shorter:
    https://repost.aws/knowledge-center/autoscaling-policy-cloudwatch-alarm
    """

    def __init__(self, breaches: Callable[[float], bool], points: int) -> None:
        self._breaches = breaches
        self._last: deque[bool] = deque(maxlen=points)
        self._invoked: float | None = None

    def invokes(self, value: float, now: float) -> bool:
        """Take a datapoint, and tell whether the policy is invoked at ``now`` (seconds)."""
        self._last.append(self._breaches(value))
        if len(self._last) < (self._last.maxlen or 0) or not all(self._last):
            self._invoked = None
            return False
        if self._invoked is not None and now - self._invoked < REPEAT:
            return False
        self._invoked = now
        return True


def tracked_capacity(current: int, value: float, target: float) -> int:
    """Return the capacity that brings a metric, which is inverse to the capacity, to its target.

    Additions are rounded up and removals down, which is the same rounding of the capacity:
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html. Zero instances stay zero:
    "you must use step scaling if you want to enable an endpoint to scale out from zero", as AWS writes about the same
    algorithm in https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-policy.html.

    Args:
        current: instances in service that have warmed up.
        value: the metric's value.
        target: the target value.
    """
    return math.ceil(round(current * value / target, 9))


class TargetTracking:
    """A target tracking policy with its two alarms.

    The alarm for scale-out breaches above the target, for three consecutive datapoints; the one for scale-in more than
    10% below it, for fifteen. The page above says only that scale-in is more gradual; the counts are those of the
    alarms that AWS creates, as users report them (for instance https://github.com/aws/containers-roadmap/issues/638).
    For periods under a minute they are not documented: the same counts are assumed; scale-out is what matters here.
    The shortest period is 10 seconds:
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/policy-creating-high-resolution-metrics.html.

    There are no cooldowns, which are for simple scaling only. The policy does not scale out twice, because instances
    that start are not part of the capacity that it multiplies, but of the desired capacity, which it never lowers when
    it scales out: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-default-instance-warmup.html.

    Args:
        target: the target value of the metric.
        out: the number of datapoints for scale-out.
        in_: the number of datapoints for scale-in; None with DisableScaleIn.
    """

    def __init__(self, target: float, out: int = 3, in_: int | None = 15) -> None:
        self._target = target
        self._high = Alarm(lambda value: value > target, out)
        self._low = Alarm(lambda value: value < target * LOW, in_) if in_ is not None else None

    def desired(self, value: float, now: float, *, desired: int, warm: int, busy_scaling_out: bool) -> int:
        """Return the desired capacity after a datapoint.

        Args:
            value: the datapoint.
            now: seconds.
            desired: the current desired capacity.
            warm: instances in service that have warmed up.
            busy_scaling_out: instances are booting or warming up, which prevents scale-in.
        """
        wanted = tracked_capacity(warm, value, self._target)
        out = self._high.invokes(value, now)
        in_ = self._low is not None and self._low.invokes(value, now)
        if out:
            return max(desired, wanted)
        return min(desired, wanted) if in_ and not busy_scaling_out else desired
