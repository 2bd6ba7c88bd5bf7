"""Limits on a whole tree of processes, looked after several times a second."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from auto_lambda.processes.shared_memory import SharedMemory

Stopped = Literal["time", "output", "memory", "processes", "disk"]
"""Which limit ended a command."""

_TICKS = os.sysconf("SC_CLK_TCK")


class ProcMeter:
    """Sums up the processes below one, as often as it is asked. What begins and ends in between is not seen.

    Args:
        memory: bytes that the tree may hold: its own and shared memory, but no pages of files on a disk.
        processes: how many, threads included.
        cpu: seconds of all together.
    """

    def __init__(self, *, memory: int, processes: int, cpu: float) -> None:
        self._memory = memory
        self._processes = processes
        self._cpu = cpu
        self._shared = SharedMemory()

    def exceeded(self, pid: int) -> Stopped | None:
        """Return which limit the tree under ``pid`` has passed, None if it keeps them."""
        tree = descendants(pid)
        if sum(map(_threads, tree)) > self._processes:
            return "processes"
        if self._takes_too_much(tree):
            return "memory"
        return "time" if sum(map(_worked, tree)) > self._cpu else None

    def _takes_too_much(self, tree: list[int]) -> bool:
        # Shares and files take longer to add up, so they are asked for only when it matters.
        own = sum(map(_own, tree))
        if max(sum(map(_mapped, tree)), own + self._shared.growth()) <= self._memory:
            return False
        shares = [_shares(pid) for pid in tree]
        # A file in memory may be mapped, too, so the two are not added: together they take at most twice the limit.
        shared = max(sum(shared for _, shared in shares), self._shared.held(tree))
        return sum(own for own, _ in shares) + shared > self._memory


def descendants(pid: int) -> list[int]:
    """Every process below one, however deep; in a process namespace of its own none can leave the tree."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    rest = [pid]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            yield int(folder.name), int(fields[1])


def _stat(pid: int) -> list[str]:
    """``/proc/<pid>/stat`` from the state on (see proc(5)); empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _threads(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[17]) if fields else 0


def _mapped(pid: int) -> int:
    """Return the bytes of its own and of shared memory (proc(5), ``RssAnon`` and ``RssShmem``).

    What a process shares with those that it forked counts in each.
    """
    return _sum(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:")) or 0


def _own(pid: int) -> int:
    return _sum(f"/proc/{pid}/status", ("RssAnon:",)) or 0


def _shares(pid: int) -> tuple[int, int]:
    """Return the bytes of its own memory, and of its share of what it shares with others (proc(5), smaps_rollup)."""
    file = f"/proc/{pid}/smaps_rollup"
    own = _sum(file, ("Pss_Anon:",))
    return (_own(pid), _mapped(pid) - _own(pid)) if own is None else (own, _sum(file, ("Pss_Shmem:",)) or 0)


def _sum(file: str, names: tuple[str, ...]) -> int | None:
    """Add up lines of kilobytes; None where there are none."""
    try:
        lines = [line for line in Path(file).read_text(errors="replace").splitlines() if line.startswith(names)]
    except OSError:
        return None
    return sum(int(line.split()[1]) * 1024 for line in lines) if lines else None


def _worked(pid: int) -> float:
    """Seconds of it and of the children that it has waited for."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0
