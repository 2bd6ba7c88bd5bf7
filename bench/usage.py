"""Resource usage of a process, from /proc."""

from __future__ import annotations

import os
from pathlib import Path


def cpu(pid: int | None) -> float:
    """Return the processor time so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int | None, field: str = "VmRSS") -> float:
    """Return ``VmRSS``, the resident memory now, or ``VmHWM``, its peak, in MB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / 1e6
