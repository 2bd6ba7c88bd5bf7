"""The policies that are compared, as data. `controllers` acts on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricName = Literal["BacklogPerWorker", "BacklogSecondsPerWorker", "BacklogSecondsWithoutWorkers", "QueueVisible"]


@dataclass(frozen=True, slots=True)
class Tracking:
    """A target tracking policy. ``period`` in seconds, ``out`` and ``in_`` in datapoints that must breach in a row.

    ``in_`` None is DisableScaleIn.
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
        metric: its maximum over a period is the datapoint.
        steps: pairs of the value from which on a step counts, ascending from 0, and the capacity it sets.
        period: seconds.
        points: for each alarm, the datapoints in a row it takes. An alarm acts when it goes off and then only once a
            minute; several that go off one period after the other follow a queue that still grows.
    """

    metric: MetricName
    steps: tuple[tuple[float, int], ...]
    period: float
    points: tuple[int, ...] = (1,)

    def capacity(self, value: float) -> int:
        """What the steps say of a value above 0; a lower bound belongs to its step, as with AWS."""
        return [capacity for bound, capacity in self.steps if value >= bound][-1]


@dataclass(frozen=True, slots=True)
class Direct:
    """The desired count is set to what the queue needs, every ``period`` seconds."""

    period: float = 10.0


@dataclass(frozen=True, slots=True)
class Policy:
    """A fleet's way of scaling.

    Attributes:
        sample: seconds from one look at the queue to the next.
        delay: seconds from a look until an alarm can see it.
        protect: whether a busy machine is protected from scale-in.
        idle: seconds after which a worker with nothing to do ends its own machine and lowers the desired count;
            None: never.
        first: the least of them that a machine waits for its first drop, which others may have taken meanwhile.
        counts_in_flight: whether messages in flight count as backlog.
        ahead: seconds before the end of each metric period that a look is taken; None: looks keep no step with them.
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
    """The steps that give each worker at most about ``target`` of the metric: up to twenty, AWS's quota.

    See https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
    """
    bounds = (0.0, *(size * target for size in sizes))
    return tuple(zip(bounds, sizes, strict=False))


SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 32, 38, 44, 50)

TARGET = 60.0
"""Seconds of work for each worker: a further machine pays when the wait would be longer than its boot."""


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
    """Target tracking as the template has it; leaving zero and scale-in are not left to it. All in seconds.

    Six alarms that take one to six datapoints share the step policy, so that it hears of a growing queue every period
    until the first machine is there. The warm-up is longer than a sample takes to become a datapoint: were it shorter,
    a capacity that has just grown would be multiplied with a datapoint from before it grew.
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
"""As AWS's guide to queues has it: messages for each machine, once a minute, no protection."""

FIVE_MINUTE = Policy(
    name="five-minute",
    sample=300,
    delay=5,
    step=Step("QueueVisible", ((0.0, 1),), period=300),
    tracking=Tracking("BacklogPerWorker", target=1, period=300, out=1, in_=3, warmup=60),
    protect=False,
    counts_in_flight=False,
)
"""The same on a metric of every five minutes, with alarms that don't wait for a second datapoint to scale out."""

DIRECT = Policy(name="direct", sample=10, delay=1, direct=Direct(), idle=600)
"""As the Elastic CI Stack scales: a machine for each build, which ends itself after ten idle minutes."""

OTHERS = (DIRECT, ONE_MINUTE, FIVE_MINUTE)
