"""Keeps the cache within bounds: what was used longest ago is evicted first, and what a build may still use stays.

The bounds are the cache's own, and what the disk has left: a build needs room to be built in.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auto_lambda.files import remove_tree
from auto_lambda.tools import exclusive

CACHE_BYTES = 20_000_000_000
"""What a cache may take where nobody says otherwise."""

FREE_BYTES = 8_000_000_000
"""What stays free of the disk for builds, if that is less than a tenth of it."""

_IN_USE = 4 * 3600.0  # seconds: longer than any build takes
_EVERY = 600.0
_FORMER = ("packages", "wheels", "resolutions", "audits", "expansions")  # of versions before 0.2


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    used: float
    size: int


class Evictor:
    """Removes what is too much.

    Args:
        cache: the cache folder; results of actions are kept below it.
        limit: bytes, for all of them.
        clock: seconds since the epoch.
        lacks: how many bytes the disk that a folder is on should have free and has not.
    """

    def __init__(
        self,
        cache: Path,
        limit: int,
        clock: Callable[[], float] = time.time,
        lacks: Callable[[Path], int] = lambda folder: _lacks(folder),
    ) -> None:
        self._cache = cache
        self._limit = limit
        self._clock = clock
        self._lacks = lacks
        self._next = 0.0

    @property
    def actions(self) -> Path:
        """The folder for results of actions, by kind and key."""
        return self._cache / "actions"

    def evict(self) -> None:
        """Bring the cache within its bounds, unless that was done a short time ago."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _EVERY
        for name in _FORMER:
            remove_tree(self._cache / name)
        entries = sorted(self._entries(), key=lambda entry: entry.used)
        over = max(sum(entry.size for entry in entries) - self._limit, self._lacks(self._cache))
        for entry in entries:
            if over <= 0 or entry.used > now - _IN_USE:
                return
            with exclusive(entry.path.with_suffix(".making")):
                if _used(entry.path) != entry.used:
                    continue  # a build has been given it meanwhile
                gone = entry.path.with_suffix(".new")  # a part of it would pass for the whole, if we died meanwhile
                remove_tree(gone)
                entry.path.rename(gone)
                remove_tree(gone)
            over -= entry.size

    def _entries(self) -> Iterator[_Entry]:
        for path in self.actions.glob("*/*"):
            if path.suffix not in (".making", ".new") and (used := _used(path)) is not None:
                yield _Entry(path, used, sum(_sizes(path)))


def _used(path: Path) -> float | None:
    """None for what has just been given its final name."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _lacks(folder: Path) -> int:
    total, _, free = shutil.disk_usage(folder)
    return min(FREE_BYTES, total // 10) - free


def _sizes(path: Path) -> Iterator[int]:
    if path.is_file():
        yield path.stat().st_size
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                yield Path(folder, name).lstat().st_size
            except FileNotFoundError:
                continue
