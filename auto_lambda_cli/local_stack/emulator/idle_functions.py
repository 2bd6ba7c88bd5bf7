"""Ends the processes of functions that nobody has called for a while; the emulator would keep one of each."""

from __future__ import annotations

import threading
import time
from typing import Any

IDLE_SECONDS = 120.0
_EVERY = 10.0


def patch(idle: float = IDLE_SECONDS, every: float = _EVERY) -> None:
    """Look for idle processes from now on."""
    from ministack.core import lambda_runtime  # type: ignore[import-not-found,unused-ignore]

    def forever() -> None:
        while True:
            time.sleep(every)
            end_idle(lambda_runtime, time.time() - idle)

    threading.Thread(target=forever, daemon=True, name="idle functions").start()


def end_idle(runtime: Any, since: float) -> None:
    """End every process that was last called before a time, and is not at work."""
    with runtime._lock:
        idle = [
            (key, worker)
            for key, workers in runtime._workers.items()
            for worker in workers
            if not worker.in_use and worker.last_used < since
        ]
        for key, worker in idle:
            runtime._workers[key].remove(worker)
    runtime.kill_workers([worker for _, worker in idle])
