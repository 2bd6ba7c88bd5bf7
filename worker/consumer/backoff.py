"""Decides when a delivery that failed on our side is retried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import tenacity

LEAST = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class BackOff:
    """Exponential back-off with jitter: between ``least`` and a bound that doubles with each attempt.

    Attributes:
        base: the first bound, in seconds.
        cap: the last bound, in seconds.
        least: the shortest delay, in seconds.
    """

    base: float = 30
    cap: float = 900
    least: float = LEAST

    def delay(self, attempts: int) -> float:
        """Return the delay after ``attempts`` failed attempts, in seconds."""
        wait = tenacity.wait_random_exponential(multiplier=self.base, max=self.cap, min=self.least)
        state = tenacity.RetryCallState(cast(Any, None), None, (), {})
        state.attempt_number = max(1, attempts)
        return wait(state)


def when_throttled(base: float = 30) -> BackOff:
    """Return the back-off of work that AWS throttles: never less than ``base`` seconds.

    The default is the pace at which an account may make edge-optimized APIs.
    """
    return BackOff(base=2 * base, least=base)
