"""The one place that runs code of an upload.

Callers describe a `Command`; a `Sandbox` runs it. Results come back only as files that
`read_json` checks: nothing of an upload is ever imported, unpickled or evaluated here.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import os
import re
import select
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
from typing import Any, Literal, Protocol

from worker.model import Say

MEGABYTE = 1024 * 1024
_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_ROUNDS = 400  # of looking for strays: a process in uninterruptible sleep must not hold us up for ever
_LONGEST_LINE = 16 * 1024
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
# C0 but tab, DEL, C1, line and paragraph separators, marks that reorder text, byte order mark
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


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


class PlainSandbox:
    """Bounds a command, but does not isolate it.

    It gives the command exactly ``Command.env`` (over a minimal PATH, HOME and LANG; TMPDIR is always the run's own),
    limits on CPU time, address space and file size, a wall clock, bounded and cleaned output, and it leaves no process
    and no scratch file behind. It does *not* hide the file system, the network or the processes of its user:
    ``readable``, ``writable`` and ``network`` are not enforced, CPU time and memory count per process, and a process
    that leaves its group and hides its environment gets away. What isolates stands behind the same protocol.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    def run(self, command: Command, say: Say) -> Outcome:
        """Run to the end or to a limit, telling ``say`` each line; every process of it is gone afterwards."""
        start = self._clock()
        lines = _Lines(say, command.limits.output)
        with _scratch(command) as scratch, _started(command, scratch) as (process, pidfd):
            stopped = self._follow(process, pidfd, lines, start + command.limits.wall)
        lines.finish()
        if process.returncode == -signal.SIGXCPU:
            stopped = "time"
        return Outcome(process.returncode, lines.text, self._clock() - start, stopped)

    def _follow(
        self, process: subprocess.Popen[bytes], pidfd: int, lines: _Lines, deadline: float
    ) -> Literal["time", "output"] | None:
        assert process.stdout is not None  # noqa: S101  (a pipe, by `_started`)
        with selectors.DefaultSelector() as selector:
            output = selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(pidfd, selectors.EVENT_READ)
            while (left := deadline - self._clock()) > 0:
                ready = [key for key, _ in selector.select(left)]
                if output in ready:
                    data = os.read(process.stdout.fileno(), 65536)
                    if not data:
                        selector.unregister(process.stdout)
                    lines.feed(data)
                elif ready:  # it ended and nothing is left to read, though a child of it may hold the pipe open
                    return None
                if lines.full:
                    return "output"
            return "time"


class _Lines:
    """Splits raw output into clean lines, tells them, and keeps them up to a number of bytes."""

    def __init__(self, say: Say, limit: int) -> None:
        self._say = say
        self._limit = limit
        self._seen = 0
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._kept: list[str] = []

    @property
    def full(self) -> bool:
        return self._seen > self._limit

    @property
    def text(self) -> str:
        return "\n".join(self._kept)

    def feed(self, data: bytes) -> None:
        self._seen += len(data)
        if self.full:
            data = data[: max(0, len(data) - (self._seen - self._limit))]
        *whole, self._rest = re.split(r"\r\n|[\r\n]", self._rest + self._decoder.decode(data))
        if len(self._rest) > _LONGEST_LINE:
            whole.append(self._rest)
            self._rest = ""
        for line in whole:
            self._tell(line)

    def finish(self) -> None:
        self._tell(self._rest + self._decoder.decode(b"", final=True))

    def _tell(self, line: str) -> None:
        if clean := printable(line).rstrip():
            self._kept.append(clean)
            self._say(clean)


def printable(line: str) -> str:
    """A line of a stranger's output without terminal escapes and control characters (tabs stay)."""
    return _CONTROLS.sub("", _ESCAPES.sub("", line))


def _bounded(limits: Limits) -> tuple[str, ...]:
    return (
        shutil.which("prlimit") or "/usr/bin/prlimit",
        f"--cpu={math.ceil(limits.cpu)}:{math.ceil(limits.cpu) + 5}",
        f"--as={limits.memory}",
        f"--fsize={limits.file_size}",
        "--core=0",
        "--",
    )


@contextlib.contextmanager
def _started(command: Command, scratch: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The running command and a descriptor that becomes readable when it ends; ends everything of it on the way out."""
    with subprocess.Popen(
        [*_bounded(command.limits), *command.argv],
        cwd=command.cwd, env=_environment(command, scratch), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        pidfd = os.pidfd_open(process.pid)
        try:
            yield process, pidfd
        finally:
            _end(process, pidfd, scratch)
            os.close(pidfd)


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
    """Remove a folder that a stranger filled, also where it took away our own permissions. Links are not followed."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            inner = Path(path, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes], pidfd: int, scratch: Path) -> None:
    """Stop what still runs: the group politely, then for good, then whoever left the group.

    The leader is reaped last: until then its number, and so the group's, cannot belong to anyone else.
    """
    if not select.select([pidfd], [], [], 0)[0]:
        _signal(process.pid, signal.SIGTERM)
        select.select([pidfd], [], [], _GRACE)
    _signal(process.pid, signal.SIGKILL)
    process.wait()
    _end_strays(os.fsencode(scratch))


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _end_strays(mark: bytes) -> None:
    """Kill processes that started a session of their own. They still carry the run's scratch folder as TMPDIR."""
    for _ in range(_ROUNDS):
        strays = [pid for pid in _pids() if mark in _environ(pid)]
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""  # gone, or another user's


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
