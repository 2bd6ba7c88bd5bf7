"""A folder for sockets in ``/tmp``, which does not outlive its process, or at least not the next start of a worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path

_PREFIX = "al-index-"
_YOUNG = 60  # seconds: whoever has made a folder locks it at once
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class SocketFolder:
    """Makes a folder for this process, and removes those that dead processes of the same user left.

    The kernel takes 107 bytes for a socket's path, so the folder lies below ``/tmp``, wherever other files go.
    """

    def __init__(self, base: Path = Path("/tmp")) -> None:  # noqa: S108 - nobody else can write into it
        _sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._held = os.open(self.path, _OPEN)
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove it."""
        remove_sockets(self.path)
        os.close(self._held)


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it is leaving just now, or somebody else's
            held = os.open(folder, _OPEN)
            try:
                found = os.fstat(held)
                if found.st_uid == os.geteuid() and found.st_mtime < time.time() - _YOUNG:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_sockets(folder)
            finally:
                os.close(held)


def remove_sockets(folder: Path) -> None:
    """Remove a folder of sockets, if nothing else is in it and we may."""
    for path in folder.glob("*.sock"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
