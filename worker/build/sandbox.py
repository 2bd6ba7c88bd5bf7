"""The one place that runs code of an upload.

Callers describe a `Command`; a `Sandbox` runs it. Results come back only as files that
`read_json` checks: nothing of an upload is ever imported, unpickled or evaluated here.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from worker.model import Say

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one command: seconds of wall and CPU time, bytes of memory, of one file and of output."""

    wall: float = 300.0
    cpu: float = 300.0
    memory: int = 4096 * MEGABYTE
    file_size: int = 1024 * MEGABYTE
    output: int = 4 * MEGABYTE


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: an argument list, its folder, its whole environment, what it may write, whether it needs the index.

    ``readable`` and ``writable`` are the only folders, besides the system's own, that the command may see.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    network: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended. ``output`` is stdout and stderr as they came, control characters removed, bounded."""

    returncode: int
    output: str
    seconds: float
    stopped: Literal["time", "output"] | None = None

    @property
    def ok(self) -> bool:
        """Whether it ran to its end and exited 0."""
        return self.returncode == 0 and self.stopped is None


class Sandbox(Protocol):
    """Runs commands of the untrusted side."""

    def run(self, command: Command, say: Say) -> Outcome:
        """Run to the end or to a limit, telling ``say`` each line of output; kills the whole process group after."""


def read_json(path: Path, *, max_bytes: int = 8 * MEGABYTE) -> Any:
    """Read a result that the untrusted side wrote.

    Raises:
        ValueError: not a plain file with one link, larger than ``max_bytes``, or not JSON.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValueError(f"no readable result file: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
            raise ValueError("the result is not a plain file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"the result is larger than {max_bytes} bytes")
    try:
        return json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the result is not JSON: {error}") from error
