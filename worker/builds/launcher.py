"""Starts builder processes, each behind walls of its own.

Where systemd runs the fleet, it starts them: a connection to the socket of ``autolambda-builder.socket`` is a new
service under a user of its own. Elsewhere the worker does it: in namespaces without a network, where it sees the
system, the interpreters and its own folder; as root, under a user that is nobody else.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import builder.protocol
from auto_lambda import logs
from auto_lambda.files import remove_tree
from auto_lambda.processes import programs
from builder.protocol.channel import Channel
from worker.builds.watch import BuilderLimits, Watch

MAX_SENT = 256 * 1024 * 1024
"""Bytes that one builder may send in messages, all told; files do not count."""

_log = logs.get("builder")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")
# Not all of /etc: settings of services and of package indexes may hold passwords.
_ETC = ("alternatives", "ca-certificates", "crypto-policies", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
        "nsswitch.conf", "os-release", "pki", "protocols", "services", "ssl")  # fmt: skip
_BUILDER = (sys.executable, "-I", "-m", "builder")
_FIRST_USER, _USERS = 52_000, 4_000  # numbers that distributions give to nobody
_PATIENCE = 5.0  # seconds for a killed process to be gone
_LAST_WORDS = 4_000  # characters
_SEND_SECONDS = 60.0  # for a builder to take something of what it is sent


@dataclass(frozen=True, slots=True)
class Walls:
    """The walls between a builder and the rest of the machine.

    Attributes:
        isolated: it has namespaces of its own: no network, no process and no file but what it needs.
        own_user: it runs under a user that is nobody else.
    """

    isolated: bool
    own_user: bool

    def missing(self) -> str | None:
        """Say what is missing, None if nothing is."""
        if not self.isolated:
            return "builders run without isolation, under the worker's own user"
        return None if self.own_user else "builders run under the worker's own user, as it is not root"


class BuilderProcess(Protocol):
    """A builder that waits for its request, or serves it."""

    channel: Channel

    def alive(self) -> bool:
        """Tell whether it may still answer."""

    def end(self) -> str:
        """End it with all that it has started; return its last words to nobody in particular."""


class Launcher(Protocol):
    """Starts builders."""

    @property
    def walls(self) -> Walls:
        """The walls that stand here."""

    def launch(self) -> BuilderProcess:
        """Start a builder that waits for its request."""


class DirectLauncher:
    """Starts builders as child processes.

    Args:
        folder: an existing folder for what they write.
        visible: folders that they see, read-only, besides the system and the code.
        isolate: whether to put them into namespaces of their own.
        limits: what each may take.
        program: what is started, with the connection as standard input.
    """

    def __init__(
        self,
        folder: Path,
        visible: Iterable[Path],
        *,
        isolate: bool = True,
        program: Sequence[str] = _BUILDER,
        limits: BuilderLimits | None = None,
    ) -> None:
        self._folder = folder
        self._visible = tuple(visible)
        self._program = tuple(program)
        self._limits = limits or BuilderLimits()
        self._bubblewrap = shutil.which("bwrap") if isolate else None
        self._numbers = itertools.count(os.getpid() * 16)

    @property
    def walls(self) -> Walls:
        """The walls that stand here."""
        return Walls(isolated=self._bubblewrap is not None, own_user=bool(self._bubblewrap) and os.geteuid() == 0)

    def launch(self) -> BuilderProcess:
        """Start a builder; see `Launcher.launch`."""
        room = self._folder / f"builder-{secrets.token_hex(8)}"
        room.mkdir(mode=0o700)
        user = _FIRST_USER + next(self._numbers) % _USERS if self.walls.own_user else None
        if user:
            os.chown(room, user, user)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            process = programs.start(
                self._command(room, user), {**programs.FIXED, "HOME": str(room), "TMPDIR": str(room)}, cwd="/",
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        channel = Channel(ours, max_total=MAX_SENT, send_seconds=_SEND_SECONDS)
        return _Child(channel, process, room, Watch(process.pid, room, self._limits), self._bubblewrap is not None)

    def _command(self, room: Path, user: int | None) -> tuple[str, ...]:
        # It ends with the thread that has started it, whatever else happens.
        if self._bubblewrap is None:
            return ("setpriv", "--pdeathsig", "KILL", "--", *self._program)
        mounts = (
            *_system(),
            *_folders([*self._seen(), room]),
            *_read_only(self._seen()),
            "--bind",
            str(room),
            str(room),
        )
        scratch = ("--perms", "1777", "--tmpfs", "/tmp")  # noqa: S108 - its own
        common = ("--die-with-parent", "--new-session", "--dev", "/dev", *scratch, *mounts, "--remount-ro", "/",
                  "--chdir", "/")  # fmt: skip
        if user is None:
            walls = (self._bubblewrap, "--unshare-all", "--unshare-user", "--proc", "/proc", *common, "--")
            return ("setpriv", "--pdeathsig", "KILL", "--", *walls, *self._program)
        # Not by bubblewrap, which as root covers parts of /proc: then nothing inside could mount one.
        namespaces = (
            "unshare",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--net",
            "--fork",
            "--kill-child",
            "--mount-proc",
        )
        walls = (self._bubblewrap, "--bind", "/proc", "/proc", *common, "--")
        identity = (
            "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
            "--",
        )  # fmt: skip
        return ("setpriv", "--pdeathsig", "KILL", "--", *namespaces, *walls, *identity, *self._program)

    def _seen(self) -> list[Path]:
        code = Path(builder.protocol.__file__).parents[1]
        paths = (Path(sys.prefix), Path(sys.base_prefix), code, code.with_name("auto_lambda"), *self._visible)
        return sorted({path.absolute() for path in paths if not any(path.is_relative_to(name) for name in _SYSTEM)})


@dataclass
class _Child:
    """A builder that is a child process of ours."""

    channel: Channel
    process: subprocess.Popen[bytes]
    room: Path
    watch: Watch
    isolated: bool

    def alive(self) -> bool:
        # Not by ``poll``, which reaps it: until `end` its number must not become that of somebody else's process.
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        return False

    def end(self) -> str:
        self.watch.close()
        self.channel.close()
        first = _descriptors_of_children(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_PATIENCE)
        for descriptor in first:  # the first process of its namespace is gone when all others there are
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(_PATIENCE * 1000)
            os.close(descriptor)
        assert self.process.stderr is not None  # noqa: S101 - a pipe, by the call above
        os.set_blocking(self.process.stderr.fileno(), False)
        said = self.process.stderr.read() or b""
        self.process.stderr.close()
        if not self.isolated:
            _end_strays(os.fsencode(self.room))
        remove_tree(self.room)
        reason = f"ended for its {self.watch.stopped}\n" if self.watch.stopped else ""
        return reason + said.decode(errors="replace")[-_LAST_WORDS:]


class SocketLauncher:
    """Has builders started by systemd, which gives each connection to a socket a service of its own.

    Args:
        path: the socket of ``autolambda-builder.socket``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def walls(self) -> Walls:
        """The walls of the unit."""
        return Walls(isolated=True, own_user=True)

    def launch(self) -> BuilderProcess:
        """Start a builder; see `Launcher.launch`.

        Raises:
            OSError: nobody listens there.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        return _Connected(Channel(connection, max_total=MAX_SENT, send_seconds=_SEND_SECONDS))


@dataclass
class _Connected:
    """A builder that systemd looks after: it ends, with all that it has started, when the connection is closed."""

    channel: Channel

    def alive(self) -> bool:
        return self.channel.is_open()

    def end(self) -> str:
        self.channel.close()
        return ""


def _descriptors_of_children(pid: int) -> list[int]:
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(os.pidfd_open, map(int, file.read_text().split()))
    return found


def _end_strays(mark: bytes) -> None:
    """Kill what has left the process group of a builder without a namespace; it still has the folder in TMPDIR."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone, or another user's
            if mark in (place / "environ").read_bytes():
                os.kill(int(place.name), signal.SIGKILL)


def _system() -> Iterator[str]:
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    yield from ("--perms", "0755", "--dir", "/etc")
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _folders(paths: Iterable[Path]) -> Iterator[str]:
    """Make the folders above each path: on this machine they may be closed to other users."""
    for folder in sorted({parent for path in paths for parent in path.parents} - {Path("/"), Path("/tmp")}):  # noqa: S108
        yield from ("--perms", "0755", "--dir", str(folder))


def _read_only(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        yield from ("--ro-bind", str(path), str(path))
        if (settings := path / "pip.conf").exists():  # of a virtual environment; it may hold passwords
            yield from ("--ro-bind", "/dev/null", str(settings))
