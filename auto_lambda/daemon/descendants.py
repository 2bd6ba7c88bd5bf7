"""The processes that this one has started, and those that they have started."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def end_descendants(thread: int | None = None) -> int:
    """Kill every descendant of this process, or of one ``thread`` of it, and return their number.

    For a build that is handed back or cancelled: everything that it has started belongs to it. The kernel knows which
    thread has started a process (`threading.Thread.native_id`).
    """
    ended: set[int] = set()
    for _ in range(3):  # a process that is started during one pass is found in the next
        for pid in _descendants(os.getpid(), thread):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                ended.add(pid)
    return len(ended)


def _descendants(pid: int, thread: int | None = None) -> list[int]:
    """Return living descendants, parents first, without zombies."""
    found: list[int] = []
    for child in _children(pid, thread):
        found += [child] if _living(child) else []
        found += _descendants(child)
    return found


def _children(pid: int, thread: int | None = None) -> list[int]:
    children: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob(f"{thread or '*'}/children"):
        with suppress(OSError):
            children += map(int, file.read_text().split())
    return children


def _living(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
