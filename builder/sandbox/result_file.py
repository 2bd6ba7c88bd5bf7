"""The file that a script of ours answers in, beside code that may do with it what it likes."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def read_plain(path: Path, max_bytes: int) -> bytes:
    """Read a file that untrusted code may have put there, or put something else in its place.

    Raises:
        ValueError: not a plain file with one name, or larger than ``max_bytes``.
    """
    with open_plain(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"the result is larger than {max_bytes} bytes")
    return data


def open_plain(path: Path) -> BinaryIO:
    """Open such a file for reading: no link is followed, and no pipe or device waited for.

    Raises:
        ValueError: not a plain file with one name.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValueError(f"no readable result file: {error.strerror}") from error
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
        os.close(fd)
        raise ValueError("the result is not a plain file")
    return os.fdopen(fd, "rb")


class ResultFile:
    """Made empty before the run, so that a script which never began can be told from one whose answer was taken away.

    Each script writes into it before it lets code of an upload run. Whatever happens to a file then moves its change
    time, which nobody can set: so an untouched one means that the machine failed, anything else that the app did.

    Args:
        path: in a folder that the run may write to; made here.
    """

    def __init__(self, path: Path) -> None:
        path.touch(exist_ok=False)
        self.path = path
        self._made = _state(path)

    @property
    def begun(self) -> bool:
        """Whether the script got as far as its first line."""
        return _state(self.path) != self._made


def _state(path: Path) -> tuple[int, int] | None:
    try:
        info = path.lstat()
    except OSError:
        return None
    return info.st_ino, info.st_ctime_ns
