"""The policies that are compared, as data for `controllers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricName = Literal["BacklogPerWorker", "BacklogSecondsPerWorker", "BacklogSecondsWithoutWorkers", "QueueVisible"]


@dataclass(frozen=True, slots=True)
class Tracking:
    """A target tracking policy. ``period`` is in seconds, ``out`` and ``in_`` are numbers of consecutive datapoints.

    If ``in_`` is None, scale-in is disabled.
    """

    metric: MetricName
    target: float
    period: float
    out: int = 3
    in_: int | None = 15
    warmup: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """A step policy of type ExactCapacity, and alarms on any value above 0 that invoke it.

    Attributes:
        metric: the metric; a datapoint is its maximum over a period.
        steps: pairs of the lower bound of a step, ascending from 0, and the capacity that it sets.
        period: seconds.
        points: for each alarm, its number of consecutive datapoints. An alarm acts when it goes off and then once a
            minute; several that go off one period after the other follow a growing queue.
    """

    metric: MetricName
    steps: tuple[tuple[float, int], ...]
    period: float
    points: tuple[int, ...] = (1,)

    def capacity(self, value: float) -> int:
        """Return the capacity for a value above 0; lower bounds are inclusive, as with AWS."""
        return [capacity for bound, capacity in self.steps if value >= bound][-1]


@dataclass(frozen=True, slots=True)
class Direct:
    """A policy that sets the desired capacity to what the queue needs, every ``period`` seconds."""

    period: float = 10.0


@dataclass(frozen=True, slots=True)
class Policy:
    """A scaling policy of a fleet.

    Attributes:
        sample: seconds between two samples.
        delay: seconds from a sample until an alarm sees it.
        protect: whether a busy machine is protected from scale-in.
        idle: seconds after which an idle worker terminates its machine and lowers the desired capacity; None: never.
        first: the minimum of those seconds for a machine's first drop, which others may have received meanwhile.
        counts_in_flight: whether messages in flight count as backlog.
        ahead: seconds between a sample and the end of a metric period; None: samples are not aligned with periods.
    """

    name: str
    sample: float
    delay: float
    tracking: Tracking | None = None
    step: Step | None = None
    direct: Direct | None = None
    protect: bool = True
    idle: float | None = None
    first: float = 0.0
    counts_in_flight: bool = True
    ahead: float | None = None


def steps(target: float, sizes: tuple[int, ...]) -> tuple[tuple[float, int], ...]:
    """Return steps that give each worker at most about ``target`` of the metric: up to twenty, AWS's quota.

    See https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
    """
    bounds = (0.0, *(size * target for size in sizes))
    return tuple(zip(bounds, sizes, strict=False))


SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 32, 38, 44, 50)

TARGET = 60.0
"""Default target, in seconds of work per worker; another machine pays if waiting takes longer than its boot."""


def ours(
    *,
    target: float = TARGET,
    warmup: float = 30,
    idle: float = 5,
    first: float = 10,
    period: float = 10,
    sample: float = 5,
    delay: float = 3,
) -> Policy:
    """Return the template's policy: target tracking, with steps from zero and without scale-in. All in seconds.

    Six alarms with one to six datapoints share the step policy, so that it follows a growing queue every period until
    the first machine is ready. The warm-up is longer than a sample takes to become a datapoint; otherwise a capacity
    that has just grown would be multiplied with a datapoint from before.
    """
    return Policy(
        name="ours",
        sample=sample,
        delay=delay,
        step=Step("BacklogSecondsWithoutWorkers", steps(target, SIZES), period, points=(1, 2, 3, 4, 5, 6)),
        tracking=Tracking("BacklogSecondsPerWorker", target, period, in_=None, warmup=warmup),
        idle=idle,
        first=first,
        ahead=1,
    )


ONE_MINUTE = Policy(
    name="one-minute",
    sample=60,
    delay=5,
    step=Step("QueueVisible", ((0.0, 1),), period=60),
    tracking=Tracking("BacklogPerWorker", target=1, period=60, warmup=60),
    protect=False,
    counts_in_flight=False,
)
"""As in AWS's guide for queues: messages per machine, once a minute, no protection."""

FIVE_MINUTE = Policy(
    name="five-minute",
    sample=300,
    delay=5,
    step=Step("QueueVisible", ((0.0, 1),), period=300),
    tracking=Tracking("BacklogPerWorker", target=1, period=300, out=1, in_=3, warmup=60),
    protect=False,
    counts_in_flight=False,
)
"""The same with a metric every five minutes, and alarms that scale out at the first datapoint."""

DIRECT = Policy(name="direct", sample=10, delay=1, direct=Direct(), idle=600)
"""As in the Elastic CI Stack: a machine for each build, which terminates itself after ten idle minutes."""

OTHERS = (DIRECT, ONE_MINUTE, FIVE_MINUTE)
