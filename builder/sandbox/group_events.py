"""Tells when a limit of the control group that this process is in, with all that it runs, was hit.

Systemd puts each builder into one. What the kernel does at its limits, it only counts there (cgroup v2).
"""

from __future__ import annotations

from pathlib import Path

from auto_lambda.processes.meters import Stopped

_OWN = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


class GroupEvents:
    """Compares the group's counters with what they were at first. Where there is no such group, nothing happens.

    Args:
        folder: of the group; ours if nothing is said.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or own_group()
        self._killed, self._refused = self._counts()

    def stopped(self) -> Stopped | None:
        """Return the limit that was hit since: processes were killed for their memory, or new ones refused."""
        killed, refused = self._counts()
        if killed > self._killed:
            return "memory"
        return "processes" if refused > self._refused else None

    def _counts(self) -> tuple[int, int]:
        return self._count("memory.events", "oom_kill"), self._count("pids.events", "max")

    def _count(self, file: str, name: str) -> int:
        try:
            lines = (self._folder / file).read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)


def own_group(own: Path = _OWN, groups: Path = _GROUPS) -> Path:
    """Return the folder of this process's control group; it may be missing."""
    try:
        line = own.read_text().partition("0::")[2]
    except OSError:
        line = ""
    return groups / line.strip().lstrip("/")
