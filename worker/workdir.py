"""Empty folders to build in, which do not outlive their build, or at least not the next start of a worker."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auto_lambda import logs
from auto_lambda.files import remove_tree

_PREFIX = "worker-"
_log = logs.get("workroom")


@contextmanager
def workroom(base: Path) -> Iterator[Workroom]:
    """Make a folder for this process alone below ``base``, and remove those that dead processes left there."""
    base.mkdir(parents=True, exist_ok=True)
    with (base / ".lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        _sweep(base)
        room = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        held = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
        fcntl.flock(door, fcntl.LOCK_UN)
    try:
        yield Workroom(room)
    finally:
        remove_tree(room)
        os.close(held)


class Workroom:
    """Hands out folders."""

    def __init__(self, room: Path) -> None:
        self._room = room

    @property
    def path(self) -> Path:
        """The folder that all of them are in."""
        return self._room

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder that is removed afterwards, whatever was put into it."""
        folder = Path(tempfile.mkdtemp(prefix="build-", dir=self._room))
        try:
            yield folder
        finally:
            remove_tree(folder)
            if folder.exists():
                _log.warning("work folder not removed", folder=str(folder))


def _sweep(base: Path) -> None:
    for room in base.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # its worker is leaving just now
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its worker lives
        else:
            _log.info("removing what a dead worker left", folder=str(room))
            remove_tree(room)
        finally:
            os.close(descriptor)
