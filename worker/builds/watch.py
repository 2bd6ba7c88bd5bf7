"""Ends builders that take too much, where the worker has started them: elsewhere systemd limits them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from auto_lambda import logs
from auto_lambda.processes.disk import DiskMeter
from auto_lambda.processes.meters import ProcMeter, Stopped

_GIGABYTE = 1024**3
_ROUND = 1.0  # seconds
_JOIN_SECONDS = 10.0
_PHYSICAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
_log = logs.get("builder")


@dataclass(frozen=True, slots=True)
class BuilderLimits:
    """What a whole builder may take, as with the units of systemd. ``memory`` and ``disk`` in bytes."""

    memory: int = _PHYSICAL * 3 // 4
    processes: int = 1280
    disk: int = 12 * _GIGABYTE


class Watch:
    """Looks at one builder each second, from outside: as root it sees whatever the builder hides from others.

    Args:
        pid: of its first process, which leads a process group. It must not be reaped before `close`.
        room: the folder that it writes to.
        limits: what it may take.
    """

    def __init__(self, pid: int, room: Path, limits: BuilderLimits) -> None:
        self._pid = pid
        self._processes = ProcMeter(memory=limits.memory, processes=limits.processes, cpu=float("inf"))
        self._disk = DiskMeter((room,), limits.disk)
        self._closed = threading.Event()
        self.stopped: Stopped | None = None
        self._thread = threading.Thread(target=self._run, name="builder-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while not self._closed.wait(_ROUND):
            if stopped := self._exceeded():
                self.stopped = stopped
                _log.warning("a builder took too much and is ended", of=stopped)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGKILL)
                return

    def _exceeded(self) -> Stopped | None:
        with contextlib.suppress(OSError):  # the disk is full by others, or a folder has just gone
            return self._processes.exceeded(self._pid) or ("disk" if self._disk.exceeded(self._pid) else None)
        return None
