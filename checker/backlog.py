"""What drives the scaling, as pure arithmetic: counts in messages, work in seconds. The simulator uses this very code.

AWS's own example divides the queue by the machines and picks the target from the time a message takes:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html. Here the time is measured and is part of
the metric, so that the target is a time to wait, whatever the builds of the day weigh.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STARTED = 0.5
"""Share of its build that a message in flight still has before it, on average, when builds began at any time."""

FIRST_GUESS = 50.0
"""Seconds that a build is taken to last before the first one has ended."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of all are at most, interpolated linearly; in the unit of ``values``.

    Args:
        values: in any order.
        percent: 0 to 100.

    Raises:
        ValueError: for no values, or a percentage out of range.
    """
    if not values:
        raise ValueError("no values, no percentile")
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentage is from 0 to 100, not {percent}")
    ranked = sorted(values)
    place = (len(ranked) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (place - below)


def expected_seconds(build_seconds: Sequence[float], otherwise: float) -> float:
    """Seconds that the next build takes on average: the mean, since the sum over a backlog is what counts.

    Args:
        build_seconds: of recent builds.
        otherwise: the answer as long as there are none.
    """
    return math.fsum(build_seconds) / len(build_seconds) if build_seconds else otherwise


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work and who is there for it, at one moment.

    Attributes:
        visible: messages that wait for a worker. Delayed ones don't belong here: nobody could take them.
        in_flight: messages that are being worked on. They are load: a worker that is busy takes nothing else.
        workers: machines in service. Those that boot, drain or terminate are no capacity.
        build_seconds: seconds that one build is expected to take.
        slots: builds that one worker does at a time.
    """

    visible: float
    in_flight: float
    workers: int
    build_seconds: float
    slots: int = 1

    @property
    def per_worker(self) -> float:
        """Messages, waiting or in flight, for each worker; with none in service as if there were one."""
        return (self.visible + self.in_flight) / max(self.workers, 1)

    @property
    def seconds(self) -> float:
        """Seconds that one slot would need for all of it."""
        return (self.visible + self.in_flight * STARTED) * self.build_seconds

    @property
    def seconds_per_worker(self) -> float:
        """Seconds until all of it would be done, if nothing else came; with no worker as if there were one."""
        return self.seconds / (max(self.workers, 1) * self.slots)

    @property
    def seconds_without_workers(self) -> float:
        """Seconds until what waits would be done by one worker, while nobody is in service, else 0.

        Target tracking multiplies the capacity it finds, so it can't leave zero; an alarm on this metric does. What is
        in flight does not count: nobody who booted for it could take it. It backs off, or is in the hands of a machine
        that is on its way out.
        """
        return 0.0 if self.workers else self.visible * self.build_seconds / self.slots

    def metrics(self) -> dict[str, float]:
        """By CloudWatch name: BacklogPerWorker in messages, the others in seconds."""
        return {
            "BacklogPerWorker": self.per_worker,
            "BacklogSeconds": self.seconds,
            "BacklogSecondsPerWorker": self.seconds_per_worker,
            "BacklogSecondsWithoutWorkers": self.seconds_without_workers,
        }
