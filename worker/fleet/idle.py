"""A worker that has nothing to do ends its machine: scale-in is the workers' own business.

docs/explanation/scaling.md says why, and where the seconds come from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

FIRST = 10.0
"""Seconds that a machine waits for its first work, if that is longer: what it was ordered for may come yet."""
AGAIN = 60.0
"""Seconds until a group that did not let the machine go is asked again; it may be as small as it may be."""


class Idle:
    """Decides when the machine goes. Used by the thread that receives, told of the load by any.

    Args:
        go: asks the group to take the machine away, for a reason; False if it did not agree.
        seconds: of idleness after which the machine goes; 0: never.
        clock: seconds, monotonic.
    """

    def __init__(
        self, go: Callable[[str], bool], seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._go = go
        self._seconds = seconds
        self._clock = clock
        self._due = clock() + max(seconds, FIRST) if seconds else math.inf

    def load(self, running: int) -> None:
        """So many builds are running, as of now."""
        if self._seconds:
            self._due = math.inf if running else self._clock() + self._seconds

    def nothing_came(self) -> None:
        """A receive brought nothing, nothing is in work, and no other receive is under way: go, if it is time."""
        if self._clock() >= self._due and not self._go(f"idle for {self._seconds:g} s"):
            self._due = self._clock() + AGAIN
