"""Memory that no process has mapped: files of the sandbox's own ``tmpfs``, and files without a name.

Walking there costs time, so the kernel's sum for the whole machine is asked first.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from auto_lambda.processes.open_files import nameless_files

_FOLDERS = ("tmp", "dev/shm")  # as `builder.sandbox.bubblewrap` makes them


class SharedMemory:
    """Measures what has been put into shared memory since this was made."""

    def __init__(self) -> None:
        self._before = _of_machine()
        self._own = {found.st_dev for name in _FOLDERS if (found := _stat(f"/{name}"))}

    def growth(self) -> int:
        """Return by how many bytes that of the whole machine has grown: at least what `held` would say, in peace."""
        return max(_of_machine() - self._before, 0)

    def held(self, pids: Iterable[int]) -> int:
        """Return the bytes of files in memory and of shared mappings, of processes that run in a sandbox.

        Of a mapping nobody can tell how much of it has been written, if its writer has gone: then its size counts, but
        not more than the machine's shared memory has grown by.
        """
        pids = list(pids)
        open_files = {one.st_ino: one.st_blocks * 512 for one in nameless_files(pids) if one.st_dev == _memory_device()}
        mapped = {inode: size for pid in pids for inode, size in _mapped(pid) if inode not in open_files}
        exact = sum(map(_used, self._folders(pids))) + sum(open_files.values())
        return max(exact, min(exact + sum(mapped.values()), self.growth()))

    def _folders(self, pids: Iterable[int]) -> Iterable[str]:
        """Return a path to each ``tmpfs`` of theirs."""
        found: dict[int, str] = {}
        for path in (f"/proc/{pid}/root/{name}" for pid in pids for name in _FOLDERS):
            if (info := _stat(path)) and info.st_dev not in self._own:
                found[info.st_dev] = path
        return found.values()


def _mapped(pid: int) -> Iterator[tuple[int, int]]:
    """Yield inode and size of each mapping that is shared memory (proc(5), ``maps``)."""
    device = f"{os.major(_memory_device()):02x}:{os.minor(_memory_device()):02x}"
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        addresses, _, offset, where, inode, *_ = line.split(maxsplit=5)
        if where == device:
            first, _, last = addresses.partition("-")
            yield int(inode), int(offset, 16) + int(last, 16) - int(first, 16)


def _of_machine() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Shmem:")), 0)


@functools.cache
def _memory_device() -> int:
    file = os.memfd_create("device")
    try:
        return os.fstat(file).st_dev
    finally:
        os.close(file)


def _stat(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except OSError:
        return None  # gone, or hidden from us


def _used(path: str) -> int:
    try:
        info = os.statvfs(path)
    except OSError:
        return 0
    return (info.f_blocks - info.f_bfree) * info.f_frsize
