"""Files that processes hold open."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator


def nameless_files(pids: Iterable[int]) -> Iterator[os.stat_result]:
    """Yield the deleted files that processes hold open: they take disk space that no walk of the tree finds."""
    for pid in pids:
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                infos = [entry.stat() for entry in entries]
        except OSError:
            continue  # gone, or hidden from us
        yield from (info for info in infos if info.st_nlink == 0)
