"""Alarms and target tracking as AWS documents them, without time of their own."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

REPEAT = 60.0
LOW = 0.9


class Alarm:
    """An alarm whose action is a scaling policy: ``points`` datapoints in a row must breach.

    While it stays in ALARM it invokes the policy once a minute, however short its period is:
    https://repost.aws/knowledge-center/autoscaling-policy-cloudwatch-alarm
    """

    def __init__(self, breaches: Callable[[float], bool], points: int) -> None:
        self._breaches = breaches
        self._last: deque[bool] = deque(maxlen=points)
        self._invoked: float | None = None

    def invokes(self, value: float, now: float) -> bool:
        """Take a datapoint; whether the policy is invoked at ``now`` (seconds)."""
        self._last.append(self._breaches(value))
        if len(self._last) < (self._last.maxlen or 0) or not all(self._last):
            self._invoked = None
            return False
        if self._invoked is not None and now - self._invoked < REPEAT:
            return False
        self._invoked = now
        return True


def tracked_capacity(current: int, value: float, target: float) -> int:
    """The capacity that would bring the metric to its target, for a metric that is inverse to the capacity.

    Additions are rounded up and removals down, which is the same rounding of the capacity:
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html. Zero machines stay zero:
    "you must use step scaling if you want to enable an endpoint to scale out from zero", as AWS says of the same
    algorithm in https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-policy.html.

    Args:
        current: machines in service that have warmed up.
        value: of the metric.
        target: in the same unit.
    """
    return math.ceil(round(current * value / target, 9))


class TargetTracking:
    """A target tracking policy with the two alarms that it keeps.

    The alarm for scale-out breaches above the target, three datapoints in a row; that for scale-in more than 10%
    below it, fifteen in a row. The page above says only that scale-in is more gradual; the counts are those of the
    alarms that AWS makes, as users find them (for instance https://github.com/aws/containers-roadmap/issues/638).
    For periods under a minute nobody documents them: the same counts are taken, and scale-out is what matters here.
    The lowest period is 10 seconds:
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/policy-creating-high-resolution-metrics.html.

    There are no cool-downs: they are for simple scaling only. What keeps the policy from ordering twice is that
    machines on their way are no part of the capacity it multiplies, but of the desired count, which it never lowers
    when it scales out: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-default-instance-warmup.html.

    Args:
        target: of the metric.
        out: datapoints for scale-out.
        in_: datapoints for scale-in; None with DisableScaleIn.
    """

    def __init__(self, target: float, out: int = 3, in_: int | None = 15) -> None:
        self._target = target
        self._high = Alarm(lambda value: value > target, out)
        self._low = Alarm(lambda value: value < target * LOW, in_) if in_ is not None else None

    def desired(self, value: float, now: float, *, desired: int, warm: int, busy_scaling_out: bool) -> int:
        """The desired count after a datapoint.

        Args:
            value: the datapoint.
            now: seconds.
            desired: the count so far.
            warm: machines in service that have warmed up.
            busy_scaling_out: machines are booting or warming up; no scale-in starts then.
        """
        wanted = tracked_capacity(warm, value, self._target)
        out = self._high.invokes(value, now)
        in_ = self._low is not None and self._low.invokes(value, now)
        if out:
            return max(desired, wanted)
        return min(desired, wanted) if in_ and not busy_scaling_out else desired
