"""The file that a script of ours answers in, beside code that may do with it what it likes."""

from __future__ import annotations

from pathlib import Path


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
