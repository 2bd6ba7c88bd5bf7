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


THROTTLED = BackOff(base=60, cap=900, least=30)
"""For work that AWS throttles: an account may make an edge-optimized API every 30 seconds."""
