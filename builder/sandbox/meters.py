"""Limits on a whole tree of processes. The kernel keeps them where it lets us make control groups; else we look."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

Stopped = Literal["time", "output", "memory", "processes", "disk"]
"""Which limit ended a command."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Meter(Protocol):
    """Watches one run, from its first process to its last."""

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before the command, so that it begins where it is counted."""

    def exceeded(self, pid: int) -> Stopped | None:
        """Which limit the tree under ``pid`` has passed, if any. Also after its end."""

    def close(self) -> None:
        """End what is left and leave nothing behind."""


class ProcMeter:
    """Sums up the processes below one, as often as it is asked. What begins and ends in between is not seen.

    Args:
        memory: bytes that the tree may hold for itself (memory shared with files does not count).
        processes: how many, threads included.
        cpu: seconds of all together.
    """

    prefix: tuple[str, ...] = ()

    def __init__(self, *, memory: int, processes: int, cpu: float) -> None:
        self._memory = memory
        self._processes = processes
        self._cpu = cpu

    def exceeded(self, pid: int) -> Stopped | None:
        """As `Meter` says."""
        tree = descendants(pid)
        if sum(map(_threads, tree)) > self._processes:
            return "processes"
        if sum(map(_held, tree)) > self._memory:
            return "memory"
        return "time" if sum(map(_worked, tree)) > self._cpu else None

    def close(self) -> None:
        """Nothing: the run ends its own processes."""


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


def nameless_files(pids: Iterable[int]) -> Iterator[os.stat_result]:
    """The files that processes hold open although they have no name any more: they take room that no walk finds."""
    for pid in pids:
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                infos = [entry.stat() for entry in entries]
        except OSError:
            continue  # gone, or hidden from us
        yield from (info for info in infos if info.st_nlink == 0)


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


def _held(pid: int) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE


def _worked(pid: int) -> float:
    """Seconds of it and of the children that it has waited for."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0
