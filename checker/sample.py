"""One look at the queues, the group and the ledger, and what follows from it."""

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
"""Attempts that are looked at."""
_WORK = frozenset({"live", "failed", "superseded", "delayed"})
"""Outcomes of attempts that tell how long a message occupies a worker."""


class DepthSource(Protocol):
    """What can tell its depth."""

    def depth(self) -> Depth:
        """Now, as SQS estimates."""


class CapacitySource(Protocol):
    """What can tell its machines."""

    def capacity(self) -> Capacity:
        """Now."""


class AttemptSource(Protocol):
    """What can tell of recent builds."""

    def newest(self, at_most: int) -> Sequence[Attempt]:
        """The last begun first."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment (UTC).

    Attributes:
        at: when.
        depth: messages in the queue.
        dead_letters: messages that were put aside; None when no dead-letter queue is known.
        capacity: of the group; None when no group is known.
        build_seconds: of recent builds, in seconds.
        oldest: seconds that the oldest message has been there; None if that is not known.
        slots: builds that one worker does at a time.
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
        """Whether there is nothing to do, and nothing on its way."""
        load = self.depth.visible + self.depth.in_flight + self.depth.delayed
        return load == 0 and not (self.capacity and self.capacity.pending)

    def metrics(self) -> dict[str, float]:
        """By CloudWatch name, as docs/reference/metrics.md has them; what is not known is left out."""
        found: dict[str, float | None] = {
            "QueueVisible": self.depth.visible,
            "QueueInFlight": self.depth.in_flight,
            "QueueDelayed": self.depth.delayed,
            "QueueOldestSeconds": self.oldest,
            "DeadLetters": self.dead_letters,
            "CheckerHeartbeat": 1,
        }
        if self.build_seconds:
            found["BuildSecondsP50"] = percentile(self.build_seconds, 50)
            found["BuildSecondsP95"] = percentile(self.build_seconds, 95)
        if self.capacity:
            found["WorkersInService"] = self.capacity.in_service
            busy = min(self.capacity.in_service, math.ceil(self.depth.in_flight / self.slots))
            # A message that waits is about to make somebody busy.
            idle = max(0, self.capacity.in_service - self.depth.in_flight - self.depth.visible)
            found |= {"WorkersBusy": busy, "WorkersIdle": idle}
            found |= self._backlog(self.capacity.in_service).metrics()
        return {name: float(value) for name, value in found.items() if value is not None}

    def _backlog(self, workers: int) -> Backlog:
        seconds = expected_seconds(self.build_seconds, FIRST_GUESS)
        return Backlog(self.depth.visible, self.depth.in_flight, workers, seconds, self.slots)


class Sampler:
    """Looks at everything that is known. What it raises is theirs.

    Args:
        queue: announces the uploads.
        dead_letters: takes what was put aside.
        group: of the workers.
        history: of builds.
        slots: builds that one worker does at a time.
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
        """Look now."""
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
    """Whether it shows how long a message occupies a worker."""
    return attempt.ended is not None and attempt.outcome in _WORK
