"""Control groups: the kernel's own limits on a whole tree of processes, in version 2 and in version 1.

Version 2 needs a unit with ``Delegate=yes`` in which the worker is the only process; version 1 needs root. A machine
that has neither is no obstacle: `meters.ProcMeter` takes the place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.sandbox.meters import Stopped

_NEEDED = ("memory", "pids", "cpuacct")  # version 1; in version 2, CPU time is counted without a controller
_LEAF = "worker"
_PATIENCE = 5.0  # seconds for killed processes to be gone
_JOIN = 'for group in $1; do echo 0 > "$group/cgroup.procs" || exit 125; done; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups can be made: a folder by controller; in version 2 it is one for all."""

    parents: Mapping[str, Path]
    unified: bool

    def group(self, *, memory: int, processes: int, cpu: float) -> Group:
        """A new group with its limits: bytes, processes and threads together, seconds."""
        name = f"auto-lambda-{os.getpid()}-{secrets.token_hex(4)}"
        folders = {controller: parent / name for controller, parent in self.parents.items()}
        group = Group(folders, self.unified, cpu)
        group.make(memory, processes)
        return group

    def sweep(self) -> None:
        """Remove the groups that dead workers left, with what is in them."""
        for place in self.parents["pids"].glob("auto-lambda-*-*"):
            if not Path("/proc", place.name.split("-")[2]).exists():
                folders = {controller: parent / place.name for controller, parent in self.parents.items()}
                Group(folders, self.unified, 0).close()


class Group:
    """One run's group; a `meters.Meter`."""

    def __init__(self, folders: Mapping[str, Path], unified: bool, cpu: float) -> None:
        self._folders = folders
        self._unified = unified
        self._cpu = cpu
        self._distinct = tuple(dict.fromkeys(folders.values()))

    def make(self, memory: int, processes: int) -> None:
        """Make the folders and write the limits."""
        for folder in self._distinct:
            folder.mkdir()
        at = self._folders["memory"]
        if self._unified:
            (at / "memory.max").write_text(str(memory))
            _write_if_there(at / "memory.swap.max", "0")
            _write_if_there(at / "memory.oom.group", "1")
        else:
            (at / "memory.limit_in_bytes").write_text(str(memory))
            _write_if_there(at / "memory.memsw.limit_in_bytes", str(memory))
        (self._folders["pids"] / "pids.max").write_text(str(processes))

    @property
    def prefix(self) -> tuple[str, ...]:
        """A shell that enters the group and becomes the command: no process of it is ever outside."""
        return ("/bin/sh", "-c", _JOIN, "sh", " ".join(map(str, self._distinct)))

    def exceeded(self, pid: int) -> Stopped | None:  # noqa: ARG002 - the group knows its processes
        """As `meters.Meter` says."""
        oom = "memory.events" if self._unified else "memory.oom_control"
        if _count(self._folders["memory"] / oom, "oom_kill"):
            return "memory"
        if _count(self._folders["pids"] / "pids.events", "max"):
            return "processes"
        return "time" if self._worked() > self._cpu else None

    def close(self) -> None:
        """Kill what is in it, and remove it."""
        deadline = time.monotonic() + _PATIENCE
        while self._kill() and time.monotonic() < deadline:
            time.sleep(0.005)
        for folder in self._distinct:
            _remove(folder, deadline)

    def _kill(self) -> bool:
        """Whether there was anything to kill."""
        at = self._folders["pids"]
        with contextlib.suppress(FileNotFoundError):
            pids = [int(pid) for pid in (at / "cgroup.procs").read_text().split()]
            for pid in filter(None, pids):  # 0 stands for one that this namespace does not see; to kill, for ourselves
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return bool(pids)
        return False

    def _worked(self) -> float:
        """Seconds of CPU time."""
        if self._unified:
            return _count(self._folders["memory"] / "cpu.stat", "usage_usec") / 1e6
        return int((self._folders["cpuacct"] / "cpuacct.usage").read_text()) / 1e9


def find(proc: Path = Path("/proc/self")) -> Hierarchy | None:
    """Where this process may make groups; None if it may not. In version 2 the process moves into a group of its own.

    Args:
        proc: its folder below ``/proc``.
    """
    try:
        own = _own_folders(proc)
        found = _version_1(own) or _version_2(own.get(""), os.getpid())
        if found:
            found.group(memory=1 << 30, processes=64, cpu=1).close()
            found.sweep()
    except OSError:
        return None
    return found


def _own_folders(proc: Path) -> dict[str, Path]:
    """The folder of our group by controller; that of version 2 has the empty name."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        root, place = before.split()[3:5]
        if kind == "cgroup2":
            mounts[""] = (root, place)
        elif kind == "cgroup":
            mounts |= {name: (root, place) for name in options.split()[1].split(",") if name in _NEEDED}
    folders = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in mounts:
                root, place = mounts[name]
                folders[name] = Path(place, os.path.relpath(path, root) if path.startswith(root) else "")
    return folders


def _version_1(own: Mapping[str, Path]) -> Hierarchy | None:
    parents = {name: own[name] for name in _NEEDED if name in own}
    if len(parents) < len(_NEEDED) or not all(os.access(folder, os.W_OK) for folder in parents.values()):
        return None
    return Hierarchy(parents, unified=False)


def _version_2(own: Path | None, pid: int) -> Hierarchy | None:
    """A group with processes cannot hold groups with limits, so we move into a leaf first, if we are alone there."""
    if own is None or not {"memory", "pids"} <= set((own / "cgroup.controllers").read_text().split()):
        return None
    if own.name == _LEAF and "memory" in (own.parent / "cgroup.subtree_control").read_text().split():
        own = own.parent
    elif (own / "cgroup.procs").read_text().split() != [str(pid)]:
        return None
    else:
        leaf = own / _LEAF
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(str(pid))
        (own / "cgroup.subtree_control").write_text("+memory +pids")
    return Hierarchy({"memory": own, "pids": own}, unified=True)


def _write_if_there(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        if path.exists():
            path.write_text(text)


def _count(path: Path, name: str) -> int:
    """The number behind a name, 0 without it."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name), 0)


def _remove(folder: Path, deadline: float) -> None:
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                return  # left empty: the next start of the machine forgets it
            time.sleep(0.005)
        else:
            return
