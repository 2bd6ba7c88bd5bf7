"""The checker's loop: it samples and publishes, often while there is work and less often when there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from auto_lambda import logs
from auto_lambda.daemon.service import Notifier, Stop
from checker.publish import Publish
from checker.sample import Sample

LONG = 300.0
"""Seconds without work after which the interval grows."""
SLOWEST = 60.0
"""Maximum seconds between two ticks while AWS throttles us."""
AHEAD = 1.0
"""Seconds between a tick and the end of a CloudWatch period; periods are aligned with the clock."""
_THROTTLED = {"Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "SlowDown",
              "ThrottledException", "TooManyRequestsException", "ProvisionedThroughputExceededException"}  # fmt: skip

_log = logs.get("checker")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from one tick to the next.

    Attributes:
        busy: while there is work, and for some time after.
        idle: after a long time without work; until then the pause doubles each minute.
    """

    busy: float
    idle: float

    def seconds(self, quiet: float, throttled: int) -> float:
        """Return the pause after a tick.

        Args:
            quiet: seconds since there was work.
            throttled: consecutive ticks that AWS has throttled.
        """
        if throttled:
            return min(max(SLOWEST, self.busy), self.busy * (1 << min(throttled, 10)))
        if quiet < LONG:
            return self.busy
        return min(max(self.idle, self.busy), self.busy * (1 << min(1 + int(quiet - LONG) // 60, 10)))


def until_beat(now: float, pause: float) -> float:
    """Return the seconds until the next aligned tick: `AHEAD` of a multiple of ``pause``, at least a tenth of it away.

    Args:
        now: the time of day, in seconds since 1970.
        pause: from one tick to the next, in seconds.
    """
    return math.ceil((now + AHEAD) / pause + 0.1) * pause - AHEAD - now


class Loop:
    """Samples and publishes. A failed tick publishes nothing, rather than old values, and never ends the loop.

    Args:
        sampler: takes a sample.
        publish: publishes it.
        pace: the pauses.
        failed: called with the number of ticks that have failed since its last success; its exceptions are ignored.
        notifier: notifies systemd.
        clock: seconds, monotonic.
        now: seconds since 1970.
        wait: waits up to so many seconds for a request to stop, and tells whether there is one.
    """

    def __init__(
        self,
        sampler: Callable[[], Sample],
        publish: Publish,
        *,
        pace: Pace,
        notifier: Notifier,
        failed: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        wait: Callable[[Stop, float], bool] = lambda stop, seconds: stop.requested.wait(seconds),
    ) -> None:
        self._sampler = sampler
        self._publish = publish
        self._pace = pace
        self._failed = failed
        self._notifier = notifier
        self._clock = clock
        self._now = now
        self._wait = wait
        self._last_work = clock()
        self._throttled = 0
        self._untold = 0

    def run(self, stop: Stop) -> None:
        """Tick until ``stop``, at first at once; a tick that takes longer than a pause skips the next one."""
        self._notifier.ready(f"sampling every {self._pace.busy:g} s")
        _log.info("ready", seconds=self._pace.busy, idle_seconds=self._pace.idle)
        seconds = 0.0
        while not self._wait(stop, seconds):
            self.tick()
            self._notifier.watchdog()
            pause = self._pace.seconds(self._clock() - self._last_work, self._throttled)
            seconds = pause if self._throttled else until_beat(self._now(), pause)
        self._notifier.stopping()
        _log.info("stopped")

    def tick(self) -> bool:
        """Sample and publish once; return False if that failed, which is logged and counted."""
        try:
            sample = self._sampler()
            self._publish(sample)
        except Exception as error:  # noqa: BLE001 - the next tick may succeed
            self._count(error)
            return False
        self._throttled = 0
        if not sample.idle:
            self._last_work = self._clock()
        _log.debug("published", **sample.metrics())
        self._notifier.status(", ".join(f"{name} {count:g}" for name, count in sample.metrics().items()))
        return True

    def _count(self, error: Exception) -> None:
        self._throttled = self._throttled + 1 if _is_throttling(error) else 0
        _log.warning("nothing published", error=str(error))
        self._notifier.status(f"failing: {error}")
        self._untold += 1
        try:
            self._failed(self._untold)
            self._untold = 0
        except Exception as second:  # noqa: BLE001 - told together with the next one
            _log.debug("failure not counted", error=str(second))


def _is_throttling(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in _THROTTLED
