"""The one place that runs code of an upload.

Callers describe a `Command`; a `Sandbox` runs it. Results come back only as files that
`read_json` checks: nothing of an upload is ever imported, unpickled or evaluated here.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from auto_lambda.model import Say
from builder.sandbox.cgroups import Hierarchy
from builder.sandbox.disk import DiskMeter
from builder.sandbox.meters import Meter, ProcMeter
from builder.sandbox.meters import Stopped as Stopped
from builder.sandbox.output import Lines
from builder.sandbox.output import printable as printable
from builder.sandbox.process import Started, started

MEGABYTE = 1024 * 1024
_PACE = 0.1  # seconds between two looks at the limits
_PHYSICAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
# What a process that a resource limit ended returns: itself, and through a shell or bubblewrap.
_BY_LIMIT: Mapping[int, Stopped] = {
    -signal.SIGXCPU: "time", 128 + signal.SIGXCPU: "time", -signal.SIGXFSZ: "disk", 128 + signal.SIGXFSZ: "disk",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one command with all its processes.

    ``wall`` and ``cpu`` in seconds; ``memory``, ``file_size`` (of one file), ``disk`` (written in all) and ``output``
    in bytes; ``processes`` counts processes and threads. More memory than three quarters of this machine's is never
    given.
    """

    wall: float = 300.0
    cpu: float = 300.0
    memory: int = 4096 * MEGABYTE
    file_size: int = 1024 * MEGABYTE
    output: int = 4 * MEGABYTE
    processes: int = 1024
    disk: int = 4096 * MEGABYTE


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: an argument list, its folder, its whole environment, what it may write, whether it needs the index.

    ``readable`` and ``writable`` are the only folders, besides the system's own, that the command may see. ``mounts``
    are folders that it sees, read-only, at another place; where nothing is isolated they stay where they are.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    network: bool = False
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended. ``output`` is stdout and stderr as they came, control characters removed, bounded.

    ``stopped`` names the one of its ``limits`` that it passed.
    """

    returncode: int
    output: str
    seconds: float
    stopped: Stopped | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def ok(self) -> bool:
        """Whether it ran to its end and exited 0."""
        return self.returncode == 0 and self.stopped is None


class Sandbox(Protocol):
    """Runs commands of the untrusted side."""

    def run(self, command: Command, say: Say) -> Outcome:
        """Run to the end or to a limit, telling ``say`` each line of output; kills the whole process group after."""


class PlainSandbox:
    """Bounds a command, but does not isolate it.

    It gives the command exactly ``Command.env`` (over a minimal PATH, HOME and LANG; TMPDIR is always the run's own),
    its limits, bounded and cleaned output, and it leaves no process and no scratch file behind. It does *not* hide the
    file system, the network or the processes of its user: ``readable``, ``writable`` and ``network`` are not enforced,
    and a process that leaves its group and hides its environment gets away. What isolates stands behind the same
    protocol, and bounds by this.

    Args:
        groups: where the kernel keeps the limits on memory, processes and CPU time; without it they are looked after
            ten times a second.
        clock: seconds, monotonic.
    """

    def __init__(self, groups: Hierarchy | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._groups = groups
        self._clock = clock

    def run(self, command: Command, say: Say) -> Outcome:
        """Run to the end or to a limit, telling ``say`` each line; every process of it is gone afterwards."""
        return self.bounded(command, say)

    def bounded(self, command: Command, say: Say, *, namespace: bool = False) -> Outcome:
        """As `run`; with ``namespace`` the command is bubblewrap with a process namespace, which ends as one."""
        start = self._clock()
        lines = Lines(say, command.limits.output)
        with _scratch(command) as scratch:
            disk = DiskMeter((*command.writable, scratch), command.limits.disk)
            with contextlib.closing(self._meter(command.limits)) as meter:
                argv = (*meter.prefix, *self._bounds(command.limits), *command.argv)
                position = len(argv) - len(command.argv) if namespace else None
                with started(argv, command.cwd, _environment(command, scratch), scratch, position) as process:
                    stopped = self._follow(process, lines, start + command.limits.wall, meter, disk)
                stopped = stopped or _BY_LIMIT.get(process.returncode) or meter.exceeded(process.pid)
        lines.finish()
        return Outcome(process.returncode, lines.text, self._clock() - start, stopped, command.limits)

    def _meter(self, limits: Limits) -> Meter:
        memory = min(limits.memory, _PHYSICAL * 3 // 4)
        if self._groups:
            return self._groups.group(memory=memory, processes=limits.processes, cpu=limits.cpu)
        return ProcMeter(memory=memory, processes=limits.processes, cpu=limits.cpu)

    def _bounds(self, limits: Limits) -> tuple[str, ...]:
        seconds = math.ceil(limits.cpu)
        bounds = [f"--cpu={seconds}:{seconds + 5}", f"--fsize={limits.file_size}", "--core=0"]
        if not self._groups:
            # Addresses are not memory: much is reserved and never touched. This only stops a leap between two looks.
            bounds.append(f"--as={2 * limits.memory}")
        return (shutil.which("prlimit") or "/usr/bin/prlimit", *bounds, "--")

    def _follow(self, process: Started, lines: Lines, deadline: float, meter: Meter, disk: DiskMeter) -> Stopped | None:
        with selectors.DefaultSelector() as selector:
            output = selector.register(process.output, selectors.EVENT_READ)
            selector.register(process.pidfd, selectors.EVENT_READ)
            look = self._clock() + _PACE
            while (now := self._clock()) < deadline:
                ready = [key for key, _ in selector.select(min(look, deadline) - now)]
                if output in ready:
                    data = os.read(process.output, 65536)
                    if not data:
                        selector.unregister(process.output)
                    lines.feed(data)
                elif ready:  # it ended and nothing is left to read, though a child of it may hold the pipe open
                    return None
                if lines.full:
                    return "output"
                if self._clock() >= look:
                    if stopped := meter.exceeded(process.pid) or ("disk" if disk.exceeded(process.pid) else None):
                        return stopped
                    look = self._clock() + _PACE
            return "time"


def _environment(command: Command, scratch: Path) -> dict[str, str]:
    home, tmp = scratch / "home", scratch / "tmp"
    home.mkdir()
    tmp.mkdir()
    minimal = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(home)}
    return {**minimal, **command.env, "TMPDIR": str(tmp)}


@contextlib.contextmanager
def _scratch(command: Command) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".run-", dir=command.writable[0] if command.writable else None))
    try:
        yield folder
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove what a stranger filled, or put in its place, also where it took away our permissions. Follows no links.

    Trees too deep for a path or for recursion are left to the system's own tools, which know no depth.
    """
    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
        return
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        for tool in (("chmod", "--recursive", "u+rwx"), ("rm", "--recursive", "--force", "--one-file-system")):
            subprocess.run([*tool, "--", str(folder)], stdin=subprocess.DEVNULL, capture_output=True, check=False)


def read_json(path: Path, *, max_bytes: int = 8 * MEGABYTE) -> Any:
    """Read a result that the untrusted side wrote.

    Raises:
        ValueError: not a plain file with one link, larger than ``max_bytes``, or not JSON.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValueError(f"no readable result file: {error.strerror}") from error
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
        os.close(fd)
        raise ValueError("the result is not a plain file")
    with os.fdopen(fd, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"the result is larger than {max_bytes} bytes")
    try:
        return json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the result is not JSON: {error}") from error
