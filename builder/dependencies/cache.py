"""Keeps the cache within bounds: what was used longest ago goes first, and what a build may still use stays.

The bounds are the cache's own, and what the disk has left: a build needs room to be built in.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from auto_lambda.tools import exclusive
from builder.sandbox.sandbox import remove_tree

CACHE_BYTES = 20_000_000_000
"""What a cache may take where nobody says otherwise."""

FREE_BYTES = 8_000_000_000
"""What stays free of the disk for builds, if that is less than a tenth of it."""

_IN_USE = 4 * 3600.0  # seconds: longer than any build takes
_EVERY = 600.0
_KINDS = ("packages/layers", "wheels", "resolutions", "audits", "expansions")


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    used: float
    size: int


class Keeper:
    """Removes what is too much.

    Files that layers and uv's cache share by hard links count once for each, so rather too much is removed than too
    little.

    Args:
        cache: the folder with all kinds of things in it.
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

    def trim(self) -> None:
        """Bring the cache within its bounds, unless that was done a short time ago."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _EVERY
        entries = sorted(self._entries(), key=lambda entry: entry.used)
        downloads = self._cache / "packages" / "uv"
        held = sum(_sizes(downloads))
        whole = sum(entry.size for entry in entries) + held
        over = max(whole - self._limit, self._lacks(self._cache))
        if over > 0 and held > min(self._limit, whole) / 2:
            over -= self._forget(downloads, held)
        for entry in entries:
            if over <= 0 or entry.used > now - _IN_USE:
                return
            with exclusive(entry.path.with_suffix(".making")):
                remove_tree(entry.path) if entry.path.is_dir() else entry.path.unlink(missing_ok=True)
            over -= entry.size

    def _forget(self, downloads: Path, held: int) -> int:
        """Start uv's cache anew, unless somebody installs from it right now."""
        with _lock(downloads).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            remove_tree(downloads)
        return held

    def _entries(self) -> Iterator[_Entry]:
        for kind in _KINDS:
            folder = self._cache / kind
            for path in folder.iterdir() if folder.is_dir() else ():
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


def keep(text: str, place: Path, when: float | None = None) -> None:
    """Put a small file into the cache, whole or not at all, whoever else does the same.

    Args:
        text: its content.
        place: where; its folder is made when missing.
        when: its time, seconds since the epoch; by default the system's.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False) as file:
        file.write(text)
    if when is not None:
        os.utime(file.name, (when, when))
    Path(file.name).replace(place)


@contextmanager
def using(downloads: Path) -> Iterator[None]:
    """Keep uv's cache from being removed."""
    downloads.parent.mkdir(parents=True, exist_ok=True)
    with _lock(downloads).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _lock(downloads: Path) -> Path:
    return downloads.with_name(f"{downloads.name}.using")


def _sizes(path: Path) -> Iterator[int]:
    if path.is_file():
        yield path.stat().st_size
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                yield Path(folder, name).lstat().st_size
            except FileNotFoundError:
                continue
