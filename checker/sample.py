"""Samples of the queues, the group and the ledger, and the metrics that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from auto_lambda.attempts import Attempt
from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.sqs import Depth
from checker.backlog import FIRST_GUESS, Backlog, expected_seconds, percentile
from checker.oldest import oldest_seconds

RECENT = 100
"""The number of attempts that are read."""
_WORK = frozenset({"live", "failed", "superseded", "delayed"})
"""Outcomes of attempts whose duration is the time that a message occupies a worker."""


class DepthSource(Protocol):
    """Has a depth: a queue."""

    def depth(self) -> Depth:
        """Return the number of messages, as SQS estimates."""


class CapacitySource(Protocol):
    """Has a capacity: an Auto Scaling group."""

    def capacity(self) -> Capacity:
        """Return the capacity."""


class AttemptSource(Protocol):
    """Has recent attempts: the ledger."""

    def newest(self, at_most: int) -> Sequence[Attempt]:
        """Return the newest attempts, newest first."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample.

    Attributes:
        at: the time, in UTC.
        depth: messages in the queue.
        dead_letters: messages in the dead-letter queue; None if it is not known.
        capacity: the group's; None if it is not known.
        build_seconds: the durations of recent builds.
        oldest: the age of the oldest message in seconds; None if it is not known.
        slots: concurrent builds of one worker.
    """

    at: datetime
    depth: Depth
    dead_letters: int | None = None
    capacity: Capacity | None = None
    build_seconds: Sequence[float] = ()
    oldest: float | None = None
    slots: int = 1

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing to do and no instance is starting."""
        load = self.depth.visible + self.depth.in_flight + self.depth.delayed
        return load == 0 and not (self.capacity and self.capacity.pending)

    def metrics(self) -> dict[str, float]:
        """Return the metrics by CloudWatch name, see docs/reference/metrics.md; unknown ones are left out."""
        found: dict[str, float | None] = {
            "QueueVisible": self.depth.visible,
            "QueueInFlight": self.depth.in_flight,
            "QueueDelayed": self.depth.delayed,
            "QueueOldestSeconds": self.oldest,
            "DeadLetters": self.dead_letters,
            "CheckerHeartbeat": 1,
            "BacklogSeconds": self._backlog(0).seconds,  # whoever works on it
        }
        if self.build_seconds:
            found["BuildSecondsP50"] = percentile(self.build_seconds, 50)
            found["BuildSecondsP95"] = percentile(self.build_seconds, 95)
        if self.capacity:
            found["WorkersInService"] = self.capacity.in_service
            busy = min(self.capacity.in_service, math.ceil(self.depth.in_flight / self.slots))
            # A visible message is about to occupy a worker.
            idle = max(0, self.capacity.in_service - self.depth.in_flight - self.depth.visible)
            found |= {"WorkersBusy": busy, "WorkersIdle": idle}
            found |= self._backlog(self.capacity.in_service).metrics()
        return {name: float(value) for name, value in found.items() if value is not None}

    def _backlog(self, workers: int) -> Backlog:
        seconds = expected_seconds(self.build_seconds, FIRST_GUESS)
        return Backlog(self.depth.visible, self.depth.in_flight, workers, seconds, self.slots)


class Sampler:
    """Takes samples. Exceptions are those of its sources.

    Args:
        queue: the queue of upload events.
        dead_letters: the dead-letter queue.
        group: the worker group.
        history: the ledger's attempts.
        slots: concurrent builds of one worker.
        now: the time, in UTC.
    """

    def __init__(
        self,
        queue: DepthSource,
        dead_letters: DepthSource | None,
        now: Callable[[], datetime],
        *,
        group: CapacitySource | None = None,
        history: AttemptSource | None = None,
        slots: int = 1,
    ) -> None:
        self._queue = queue
        self._dead_letters = dead_letters
        self._group = group
        self._history = history
        self._slots = slots
        self._now = now
        self._nothing_waited: datetime | None = None

    def __call__(self) -> Sample:
        """Take a sample."""
        now = self._now()
        depth = self._queue.depth()
        attempts = self._history.newest(RECENT) if self._history else ()
        if not depth.visible:
            self._nothing_waited = now
        return Sample(
            at=now,
            depth=depth,
            dead_letters=self._dead_letters.depth().visible if self._dead_letters else None,
            capacity=self._group.capacity() if self._group else None,
            build_seconds=[(one.ended - one.started).total_seconds() for one in attempts if tells(one) and one.ended],
            oldest=self._oldest(now, depth, attempts),
            slots=self._slots,
        )

    def _oldest(self, now: datetime, depth: Depth, attempts: Sequence[Attempt]) -> float | None:
        return oldest_seconds(
            now,
            attempts,
            visible=depth.visible,
            in_flight=depth.in_flight,
            waiting_since=self._nothing_waited,
        )


def tells(attempt: Attempt) -> bool:
    """Tell whether the attempt shows how long a message occupies a worker."""
    return attempt.ended is not None and attempt.outcome in _WORK
