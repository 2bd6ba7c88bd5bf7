"""Sample and publish at a steady pace until asked to stop."""

from __future__ import annotations

import time
from collections.abc import Callable

from auto_lambda import logs
from auto_lambda.service import Notifier, Stop
from checker.publish import Publish
from checker.sample import Sample

_log = logs.get("checker")


class Loop:
    """A failing tick publishes nothing, rather than something stale, and never ends the loop.

    Args:
        sampler: looks at the queues.
        publish: takes the sample.
        interval: seconds from tick to tick; a tick that takes longer leaves out the next ones.
        notifier: is told of our state.
        clock: seconds, monotonic.
        wait: waits for the wish to stop for so many seconds, and says whether it is there.
    """

    def __init__(
        self,
        sampler: Callable[[], Sample],
        publish: Publish,
        *,
        interval: float,
        notifier: Notifier,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[Stop, float], bool] = lambda stop, seconds: stop.requested.wait(seconds),
    ) -> None:
        self._sampler = sampler
        self._publish = publish
        self._interval = interval
        self._notifier = notifier
        self._clock = clock
        self._wait = wait

    def run(self, stop: Stop) -> None:
        """Tick until ``stop``."""
        self._notifier.ready(f"sampling every {self._interval:g} s")
        _log.info("ready", seconds=self._interval)
        began = self._clock()
        due = 0.0
        while not self._wait(stop, began + due - self._clock()):
            self.tick()
            self._notifier.watchdog()
            missed = (self._clock() - began - due) // self._interval
            due += self._interval * (1 + max(0, missed))
        self._notifier.stopping()
        _log.info("stopped")

    def tick(self) -> bool:
        """Sample and publish once; False when that failed, which is only logged."""
        try:
            sample = self._sampler()
            self._publish(sample)
        except Exception as error:  # noqa: BLE001 - the next tick may succeed
            _log.warning("nothing published", error=str(error))
            self._notifier.status(f"failing: {error}")
            return False
        _log.debug("published", **sample.metrics())
        self._notifier.status(", ".join(f"{name} {count:g}" for name, count in sample.metrics().items()))
        return True
