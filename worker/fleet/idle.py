"""Ends the machine of a worker that has nothing to do: workers scale themselves in.

docs/explanation/scaling.md explains why, and where the seconds come from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

GRACE_SECONDS = 10.0
"""The shortest time that a machine waits for its first work: the messages that it was started for may still come."""
RETRY_SECONDS = 60.0
"""Time until the group is asked again after it has refused, for example because it is at its minimum size."""


class IdleTimer:
    """Decides when an idle machine leaves. Used by the thread that receives; any thread may report the load.

    Args:
        leave: asks the group to terminate the machine, with a reason; False if the group refuses.
        seconds: of idleness after which the machine leaves; 0: never.
        clock: seconds, monotonic.
    """

    def __init__(
        self, leave: Callable[[str], bool], seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._leave = leave
        self._seconds = seconds
        self._clock = clock
        self._due = clock() + max(seconds, GRACE_SECONDS) if seconds else math.inf

    def load(self, running: int) -> None:
        """Take the number of builds that are running now."""
        if self._seconds:
            self._due = math.inf if running else self._clock() + self._seconds

    def leave_if_due(self) -> None:
        """Leave if it is time. Called after an empty receive, with no work and no other receive in progress."""
        if self._clock() >= self._due and not self._leave(f"idle for {self._seconds:g} s"):
            self._due = self._clock() + RETRY_SECONDS
