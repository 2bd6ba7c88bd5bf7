"""The first process of a builder under systemd: ``python -m builder.supervisor``, the connection as standard input.

It starts the builder and looks at nothing that it does, so nothing that an upload does to the builder is done to it.
When the worker closes the connection it ends, and systemd ends everything that is left, whoever its parent is. The
builder has its user: it may stop this process, but then the watchdog does the same, or kill it, with the same result.
"""

from __future__ import annotations

import ctypes
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import sdnotify

from auto_lambda.processes import programs
from auto_lambda.processes.disk import DiskMeter

MAX_DISK = 12 * 1024**3
"""Bytes that a builder may write, all told; each of its commands has a limit of its own."""

_PR_SET_DUMPABLE = 4  # prctl(2)
_ROUND = 1.0  # seconds, much less than the unit's WatchdogSec
_WRITABLE = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - the unit's own
_TO_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


def main(argv: Sequence[str]) -> int:
    """Run a builder until it has ended, or nobody wants its result any more.

    Args:
        argv: the builder's command; none for ours.

    Returns:
        0 when the connection was closed, else as the builder ended.
    """
    # No process of the same user may look into this one from here on, or change it (ptrace(2)).
    if ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError("this process cannot be protected from its builder")
    systemd = sdnotify.SystemdNotifier()
    meter = DiskMeter(_WRITABLE, MAX_DISK)
    environ = {name: value for name, value in os.environ.items() if name not in _TO_SYSTEMD}
    builder = programs.start(argv or (sys.executable, "-I", "-m", "builder"), environ)
    systemd.notify("READY=1")
    return _follow(builder, meter, systemd)


def _follow(builder: subprocess.Popen[bytes], meter: DiskMeter, systemd: sdnotify.SystemdNotifier) -> int:
    ended = select.poll()
    ended.register(os.pidfd_open(builder.pid), select.POLLIN)
    ended.register(sys.stdin.fileno(), select.POLLRDHUP)
    while not (events := ended.poll(_ROUND * 1000)):
        systemd.notify("WATCHDOG=1")
        if _disk_is_full(meter):
            sys.stderr.write("stopped: the disk is full\n")
            return 1
    if any(descriptor == sys.stdin.fileno() for descriptor, _ in events):
        return 0
    return builder.wait()


def _disk_is_full(meter: DiskMeter) -> bool:
    try:
        return meter.exceeded(os.getpid())
    except OSError:  # by others, or by what cannot be seen from here
        return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
