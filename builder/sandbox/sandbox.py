"""The one place that runs code of an upload.

Callers describe a `Command`; a `Sandbox` runs it. Results come back only as files that
`read_json` checks: nothing of an upload is ever imported, unpickled or evaluated here.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import selectors
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from auto_lambda.files import remove_tree
from auto_lambda.model import BuildLog
from auto_lambda.processes.disk import DiskMeter
from auto_lambda.processes.meters import ProcMeter
from auto_lambda.processes.meters import Stopped as Stopped
from auto_lambda.processes.programs import FIXED
from auto_lambda.redact import Redactor
from builder.protocol.messages import INDEX_FAILURES, INDEX_TOO_LARGE
from builder.sandbox.group_events import GroupEvents
from builder.sandbox.output import Lines
from builder.sandbox.output import printable as printable
from builder.sandbox.process import Isolated, Started, started
from builder.sandbox.result_file import read_plain

MEGABYTE = 1024 * 1024
FORWARD = Path(__file__).with_name("inside") / "forward.py"
_PROXY_SECONDS = 20.0
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
    ``libraries`` are the file names of those of the system's libraries that it sees where it is isolated, None for all.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    network: bool = False
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[tuple[Path, str], ...] = ()
    libraries: frozenset[str] | None = None


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


@dataclass(frozen=True, slots=True)
class IndexAccess:
    """The way of commands to the package indexes: a proxy on a unix socket, and variables that name the indexes."""

    socket: Path
    environment: Mapping[str, str]

    def connect(self, command: Command, socket: str) -> Command:
        """Return the command with a forwarder before it, which finds the proxy's socket at a path of its own."""
        argv = ("python3", "-I", str(FORWARD), socket, *command.argv)
        return replace(command, argv=argv, env={**command.env, **self.environment})

    def failures(self) -> int:
        """Ask the proxy how often an index has failed so far.

        Raises:
            OSError: nobody answers.
        """
        return self._number(INDEX_FAILURES)

    def too_large(self) -> int:
        """Ask the proxy how many pages of indexes were too large to be read so far.

        Raises:
            OSError: nobody answers.
        """
        return self._number(INDEX_TOO_LARGE)

    def _number(self, path: str) -> int:
        proxy = http.client.HTTPConnection("proxy", timeout=_PROXY_SECONDS)
        with contextlib.closing(proxy), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PROXY_SECONDS)
            connection.connect(str(self.socket))
            proxy.sock = connection
            proxy.request("GET", path)
            return int(proxy.getresponse().read(32))


class Sandbox(Protocol):
    """Runs commands of the untrusted side."""

    def run(self, command: Command, log: BuildLog) -> Outcome:
        """Run to the end or to a limit, telling ``log`` each line of output; kills the whole process group after."""


Isolate = Callable[[Command, Mapping[str, str]], Isolated]
"""Makes bubblewrap's arguments from a command and the environment that it is to have inside."""


class PlainSandbox:
    """Bounds a command, but does not isolate it.

    It gives the command exactly ``Command.env`` (over a minimal PATH, HOME and LANG; TMPDIR is always the run's own),
    its limits, bounded and cleaned output, and it leaves no process and no scratch file behind. It does *not* hide the
    file system, the network or the processes of its user: ``readable``, ``writable`` and ``network`` are not enforced,
    and a process that leaves its group and hides its environment gets away. What isolates stands behind the same
    protocol, and bounds by this.

    Args:
        index: the way of commands with ``network`` to the package indexes; None leaves them the machine's own network.
        clock: seconds, monotonic.
        redact: hides secrets in what commands print.
    """

    def __init__(
        self,
        index: IndexAccess | None = None,
        clock: Callable[[], float] = time.monotonic,
        redact: Redactor | None = None,
    ) -> None:
        self._index = index
        self._clock = clock
        self._redact = redact or Redactor()

    def run(self, command: Command, log: BuildLog) -> Outcome:
        """Run to the end or to a limit, telling ``log`` each line; every process of it is gone afterwards."""
        if command.network and self._index:
            command = self._index.connect(command, str(self._index.socket))
        return self.bounded(command, log)

    def bounded(self, command: Command, log: BuildLog, isolate: Isolate | None = None) -> Outcome:
        """Run as `run` does; with ``isolate`` the command runs inside bubblewrap, which has an environment of ours."""
        start = self._clock()
        lines = Lines(log, command.limits.output, self._redact)
        with _scratch(command) as scratch:
            disk = DiskMeter((*command.writable, scratch), command.limits.disk)
            meter, group = self._meter(command.limits), GroupEvents()

            def exceeded(pid: int) -> Stopped | None:
                return meter.exceeded(pid) or group.stopped() or ("disk" if disk.exceeded(pid) else None)

            with self._started(command, scratch, isolate) as process:
                stopped = self._follow(process, lines, start + command.limits.wall, exceeded)
            stopped = stopped or _BY_LIMIT.get(process.returncode)
            if process.returncode and not stopped:
                stopped = group.stopped() or ("disk" if disk.filled(command.limits.file_size) else None)
        lines.finish()
        return Outcome(process.returncode, lines.text, self._clock() - start, stopped, command.limits)

    def _started(
        self, command: Command, scratch: Path, isolate: Isolate | None
    ) -> contextlib.AbstractContextManager[Started]:
        bounds, environment = self._bounds(command.limits), _environment(command, scratch)
        if isolate is None:
            return started((*bounds, *command.argv), command.cwd, environment, scratch)
        isolated = isolate(command, environment)
        # Nothing of the upload's is in the environment of what runs outside: LD_PRELOAD, say, would be obeyed there.
        return started((*bounds, isolated.executable), Path("/"), FIXED, scratch, isolated)

    @staticmethod
    def _meter(limits: Limits) -> ProcMeter:
        memory = min(limits.memory, _PHYSICAL * 3 // 4)
        return ProcMeter(memory=memory, processes=limits.processes, cpu=limits.cpu)

    @staticmethod
    def _bounds(limits: Limits) -> tuple[str, ...]:
        seconds = math.ceil(limits.cpu)
        # Addresses are not memory: much is reserved and never touched. This only stops a leap between two looks.
        addresses = f"--as={2 * limits.memory}"
        bounds = [f"--cpu={seconds}:{seconds + 5}", f"--fsize={limits.file_size}", "--core=0", addresses]
        return (shutil.which("prlimit") or "/usr/bin/prlimit", *bounds, "--")

    def _follow(
        self, process: Started, lines: Lines, deadline: float, exceeded: Callable[[int], Stopped | None]
    ) -> Stopped | None:
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
                    if stopped := exceeded(process.pid):
                        return stopped
                    look = self._clock() + _PACE
            return "time"


def _environment(command: Command, scratch: Path) -> dict[str, str]:
    home, tmp = scratch / "home", scratch / "tmp"
    home.mkdir()
    tmp.mkdir()
    return {**FIXED, "HOME": str(home), **command.env, "TMPDIR": str(tmp)}


@contextlib.contextmanager
def _scratch(command: Command) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".run-", dir=command.writable[0] if command.writable else None))
    try:
        yield folder
    finally:
        remove_tree(folder)


def read_json(path: Path, *, max_bytes: int = 8 * MEGABYTE) -> Any:
    """Read a result that the untrusted side wrote.

    Raises:
        ValueError: not a plain file with one link, larger than ``max_bytes``, or not JSON.
    """
    data = read_plain(path, max_bytes)
    try:
        return json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the result is not JSON: {error}") from error
