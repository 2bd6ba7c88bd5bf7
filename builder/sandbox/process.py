"""One process of the untrusted side, started and, whatever it does, ended with everything that it began."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from auto_lambda.processes import programs
from builder.sandbox import seccomp

_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_PATIENCE = 10.0  # seconds for bubblewrap to set up, and for the kernel to clear a process namespace
_ROUNDS = 400  # of looking for strays: a process in uninterruptible sleep must not hold us up for ever


@dataclass(frozen=True, slots=True)
class Started:
    """A running command. ``output`` and ``pidfd`` are descriptors; the second becomes readable when it ends."""

    process: subprocess.Popen[bytes]
    output: int
    pidfd: int

    @property
    def pid(self) -> int:
        """Its number, ours until the command is ended."""
        return self.process.pid

    @property
    def returncode(self) -> int:
        """How it ended; only when it has."""
        return int(self.process.returncode)


@dataclass(frozen=True, slots=True)
class Isolated:
    """A command inside bubblewrap.

    Attributes:
        executable: bubblewrap's path.
        options: its arguments up to ``--``. They travel by a file of their own: no other user of this machine reads
            the values of an app's variables in the list of processes.
        argv: the command inside.
    """

    executable: str
    options: tuple[str, ...]
    argv: tuple[str, ...]


@contextlib.contextmanager
def started(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], mark: Path, isolated: Isolated | None = None
) -> Iterator[Started]:
    """Run a command; everything of it is gone on the way out.

    Args:
        argv: the command; with ``isolated``, it ends in bubblewrap's path.
        cwd: its folder.
        env: its whole environment.
        mark: a path that only this run has in its environment; strays are known by it.
        isolated: what bubblewrap is to do, if that is the command.
    """
    with contextlib.ExitStack() as undo:
        init = undo.enter_context(_Init(isolated)) if isolated else None
        process = undo.enter_context(
            programs.start(
                (*argv, *(init.options if init else ())), env, cwd=cwd, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                pass_fds=init.passed if init else (),
            )
        )  # fmt: skip
        pidfd = os.pidfd_open(process.pid)
        undo.callback(os.close, pidfd)
        try:
            if init:
                init.await_start()
            assert process.stdout is not None  # noqa: S101 - a pipe, by the call above
            yield Started(process, process.stdout.fileno(), pidfd)
        finally:
            _end(process, pidfd, os.fsencode(mark), init)


class _Init:
    """The first process of bubblewrap's process namespace: with it, the kernel ends every other one in there.

    ``options`` are for bubblewrap's command line: they bring its filter of system calls, too.

    Bubblewrap says its number and waits for our word, so that the number is still its own when we take hold of it.
    Killing bubblewrap alone would do as long as nobody inside meddles with that first process; this needs no trust.
    """

    def __init__(self, isolated: Isolated) -> None:
        self._info, info = os.pipe()
        go, self._go = os.pipe()
        calls = _memory_file("system-calls", seccomp.program())
        arguments = _memory_file("arguments", b"".join(os.fsencode(word) + b"\0" for word in isolated.options))
        self.passed: tuple[int, ...] = (info, go, calls, arguments)
        options = ["--info-fd", str(info), "--block-fd", str(go), "--args", str(arguments)]
        options += ["--seccomp", str(calls)] if os.fstat(calls).st_size else []
        self.options: tuple[str, ...] = (*options, "--", *isolated.argv)
        self._pidfd: int | None = None
        self._open = {self._info, self._go, *self.passed}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(*self._open)
        if self._pidfd is not None:
            os.close(self._pidfd)

    def await_start(self) -> None:
        """Take hold of the process and let it go on; nothing if bubblewrap fails before there is one."""
        self._close(*self.passed)
        said = b""
        while b"}" not in said and select.select([self._info], [], [], _PATIENCE)[0]:
            if not (data := os.read(self._info, 4096)):
                break
            said += data
        if found := re.search(rb'"child-pid": (\d+)', said):
            with contextlib.suppress(ProcessLookupError):
                self._pidfd = os.pidfd_open(int(found[1]))
        with contextlib.suppress(BrokenPipeError):
            os.write(self._go, b"1")

    def end(self) -> None:
        """Kill it, and wait until the kernel has cleared its namespace."""
        if self._pidfd is None:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        select.select([self._pidfd], [], [], _PATIENCE)

    def _close(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            if descriptor in self._open:
                self._open.discard(descriptor)
                os.close(descriptor)


def _memory_file(name: str, content: bytes) -> int:
    """Return a descriptor of a nameless file that is read from its beginning."""
    file = os.memfd_create(name)
    with open(file, "wb", closefd=False) as opened:
        opened.write(content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _end(process: subprocess.Popen[bytes], pidfd: int, mark: bytes, init: _Init | None) -> None:
    """Stop what still runs: the group politely, then for good, then whoever left the group.

    The leader is reaped last: until then its number, and so the group's, cannot belong to anyone else.
    """
    if init:
        init.end()
    elif not select.select([pidfd], [], [], 0)[0]:
        _signal(process.pid, signal.SIGTERM)
        select.select([pidfd], [], [], _GRACE)
    if init:  # it tells how its namespace ended
        select.select([pidfd], [], [], _GRACE)
    _signal(process.pid, signal.SIGKILL)
    process.wait()
    if not init:
        _end_strays(mark)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _end_strays(mark: bytes) -> None:
    """Kill processes that started a session of their own. They still carry the run's scratch folder in TMPDIR."""
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
