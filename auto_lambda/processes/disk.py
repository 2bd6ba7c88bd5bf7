"""How much of the disk one run takes. Quotas would need root and a file system of their own, so we look.

The free space of the file system is asked often, which costs nothing. When it has fallen by a whole limit, a walk
finds out whether it was this run. As what others free hides what this run writes, there is a walk now and then anyway.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from auto_lambda.processes.meters import descendants
from auto_lambda.processes.open_files import nameless_files

_MOST_FILES = 1_000_000
_RESERVE = 256 * 1024 * 1024  # bytes that always stay free
_SLACK = 2.0  # seconds by which the clock of file times may lag
_PAUSE = 2.0  # seconds between two walks at least
_SHARE = 50  # a walk is followed by a pause of so many times its own length


class DiskMeter:
    """Measures what one run has written.

    Args:
        folders: where it may write.
        limit: bytes.
        clock: seconds, monotonic.
    """

    def __init__(self, folders: Iterable[Path], limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folders = tuple(folders)
        self._limit = limit
        self._clock = clock
        self._since = time.time() - _SLACK
        self._free = {folder: _free(folder) for folder in self._folders}
        self._next_walk = clock() + _PAUSE

    def exceeded(self, pid: int) -> bool:
        """Tell whether the process tree under ``pid`` has written more than it may.

        Raises:
            OSError: the disk is nearly full, and not by this run.
        """
        now = {folder: _free(folder) for folder in self._folders}
        full = next((folder for folder in now if now[folder][0] < min(_RESERVE, self._free[folder][0])), None)
        if not (full or any(map(self._has_fallen, now, now.values()))) and self._clock() < self._next_walk:
            for folder, (free, files) in self._free.items():  # others have freed some
                self._free[folder] = max(free, now[folder][0]), max(files, now[folder][1])
            return False
        if self._walked_too_much(pid):
            return True
        if full:
            raise OSError(errno.ENOSPC, "the disk of this machine is nearly full", str(full))
        self._free = now  # others wrote: the next walk comes when as much has gone again
        return False

    def _has_fallen(self, folder: Path, now: tuple[int, int]) -> bool:
        free, files = self._free[folder]
        return free - now[0] >= self._limit or files - now[1] >= _MOST_FILES

    def _walked_too_much(self, pid: int) -> bool:
        began = self._clock()
        too_much = self._written_too_much(pid)
        ended = self._clock()
        self._next_walk = ended + max(_PAUSE, _SHARE * (ended - began))
        return too_much

    def filled(self, size: int) -> bool:
        """Tell whether a file of the run has reached a size, at which programs fail in ways of their own."""
        try:
            infos = (info for folder in self._folders for info in _walk(folder))
            return any(
                stat.S_ISREG(info.st_mode) and info.st_size >= size and info.st_ctime >= self._since for info in infos
            )
        except _TooDeep:
            return True

    def _written_too_much(self, pid: int) -> bool:
        seen: set[tuple[int, int]] = set()
        written = 0
        try:
            for info in self._files(pid):
                if info.st_ctime >= self._since and (info.st_dev, info.st_ino) not in seen:
                    seen.add((info.st_dev, info.st_ino))
                    written += info.st_blocks * 512
        except _TooDeep:
            return True
        return written > self._limit or len(seen) > _MOST_FILES

    def _files(self, pid: int) -> Iterator[os.stat_result]:
        devices = {folder.stat().st_dev for folder in self._folders}
        for folder in self._folders:
            yield from _walk(folder)
        yield from (info for info in nameless_files(descendants(pid)) if info.st_dev in devices)


class _TooDeep(Exception):
    """Nobody honest nests folders until their path cannot be named."""


def _give_up(error: OSError) -> None:
    if error.errno == errno.ENAMETOOLONG:
        raise _TooDeep


def _walk(folder: Path) -> Iterator[os.stat_result]:
    for path, folders, names in os.walk(folder, onerror=_give_up):
        for name in (*folders, *names):
            try:
                yield os.lstat(f"{path}/{name}")
            except OSError:
                continue  # removed in between


def _free(folder: Path) -> tuple[int, int]:
    info = os.statvfs(folder)
    return info.f_bfree * info.f_frsize, info.f_ffree
