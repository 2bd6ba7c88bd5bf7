"""The metrics for scaling, as pure arithmetic: counts in messages, work in seconds. The simulator uses the same code.

AWS's own example divides the queue by the instances and derives the target from the time that a message takes:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html. Here that time is measured and part of
the metric, so that the target is a wait time, however long builds take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STARTED = 0.5
"""The average remaining share of the build of a message in flight."""

FIRST_GUESS = 50.0
"""Assumed seconds of a build before the first one has ended."""


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile, interpolated linearly.

    Args:
        values: in any order.
        percent: 0 to 100.

    Raises:
        ValueError: there are no values, or the percentage is out of range.
    """
    if not values:
        raise ValueError("there is no percentile of no values")
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentage is from 0 to 100, not {percent}")
    ranked = sorted(values)
    place = (len(ranked) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (place - below)


def expected_seconds(build_seconds: Sequence[float], otherwise: float) -> float:
    """Return the expected seconds of a build: the mean, since the sum over a backlog counts.

    Args:
        build_seconds: of recent builds.
        otherwise: the result if there are none.
    """
    return math.fsum(build_seconds) / len(build_seconds) if build_seconds else otherwise


@dataclass(frozen=True, slots=True)
class Backlog:
    """The work in the queue and the workers for it.

    Attributes:
        visible: messages that wait for a worker, without delayed ones, which cannot be received.
        in_flight: messages that are being processed. They are load: a busy worker receives nothing else.
        workers: instances in service. Those that boot, drain or terminate are no capacity.
        build_seconds: expected seconds of a build.
        slots: concurrent builds of one worker.
    """

    visible: float
    in_flight: float
    workers: int
    build_seconds: float
    slots: int = 1

    @property
    def per_worker(self) -> float:
        """Messages, visible or in flight, per worker; without workers as if there were one."""
        return (self.visible + self.in_flight) / max(self.workers, 1)

    @property
    def seconds(self) -> float:
        """Seconds that one slot would need for everything."""
        return (self.visible + self.in_flight * STARTED) * self.build_seconds

    @property
    def seconds_per_worker(self) -> float:
        """Seconds until everything would be done; without workers as if there were one."""
        return self.seconds / (max(self.workers, 1) * self.slots)

    @property
    def seconds_without_workers(self) -> float:
        """Seconds that one worker would need for what waits, if no worker is in service, else 0.

        Target tracking multiplies the current capacity, so it cannot scale out from zero; an alarm on this metric does.
        Messages in flight do not count, since a new worker could not receive them: they are being retried with a delay,
        or processed by an instance that is terminating.
        """
        return 0.0 if self.workers else self.visible * self.build_seconds / self.slots

    def metrics(self) -> dict[str, float]:
        """Return the metrics by CloudWatch name: BacklogPerWorker in messages, the others in seconds."""
        return {
            "BacklogPerWorker": self.per_worker,
            "BacklogSeconds": self.seconds,
            "BacklogSecondsPerWorker": self.seconds_per_worker,
            "BacklogSecondsWithoutWorkers": self.seconds_without_workers,
        }
