"""One look at the queues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from auto_lambda.aws.sqs import Depth


class Queue(Protocol):
    """What can tell its depth."""

    def depth(self) -> Depth:
        """Now, as SQS estimates."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Messages at one moment (UTC). ``dead_letters`` is None when no dead-letter queue is known."""

    at: datetime
    depth: Depth
    dead_letters: int | None

    def metrics(self) -> dict[str, float]:
        """The metrics by name, all counts of messages."""
        counts: dict[str, float] = {
            "QueueVisible": self.depth.visible,
            "QueueInFlight": self.depth.in_flight,
            "QueueDelayed": self.depth.delayed,
        }
        if self.dead_letters is not None:
            counts["DeadLetters"] = self.dead_letters
        return counts


class Sampler:
    """Looks at the queue and, where there is one, at its dead-letter queue. What it raises is the queues'."""

    def __init__(self, queue: Queue, dead_letters: Queue | None, now: Callable[[], datetime]) -> None:
        self._queue = queue
        self._dead_letters = dead_letters
        self._now = now

    def __call__(self) -> Sample:
        """Look now."""
        depth = self._queue.depth()
        dead = self._dead_letters.depth().visible if self._dead_letters else None
        return Sample(self._now(), depth, dead)
