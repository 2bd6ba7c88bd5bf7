"""Hostile programs, so small that none could harm this machine even if no limit held, and what they leave behind."""

from __future__ import annotations

import os
from pathlib import Path

from builder.sandbox.sandbox import MEGABYTE, Limits

LIMITS = Limits(
    wall=20, cpu=20, memory=300 * MEGABYTE, file_size=32 * MEGABYTE, output=MEGABYTE // 4, processes=60,
    disk=64 * MEGABYTE,
)  # fmt: skip
"""Tight, so that a test costs little."""

HURRIED = Limits(wall=2, cpu=20, memory=300 * MEGABYTE)

TOO_MUCH = {
    # 200 processes that would only sleep
    "processes": """
import os, time
for _ in range(200):
    try:
        if os.fork() == 0:
            time.sleep(30)
    except OSError:
        pass
time.sleep(30)
""",
    # 600 MB, by four processes of which none is too large by itself
    "memory": """
import os, time
for _ in range(4):
    if os.fork() == 0:
        kept = bytearray(os.urandom(1) * 150_000_000)
        time.sleep(30)
time.sleep(30)
""",
    # 200 MB in files of 10 MB, half of them without a name
    "disk": """
import os, time
kept = []
for number in range(20):
    file = open(f"{number}", "wb")
    if number % 2:
        os.unlink(file.name)
    file.write(bytes(10_000_000))
    file.flush()
    kept.append(file)
time.sleep(30)
""",
    "output": "for _ in range(100_000): print('x' * 100)\n",
}
"""By the limit that ends it."""

DEAF = """
import signal, time
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
time.sleep(30)
"""


def left_processes(folder: Path) -> list[str]:
    """Processes that have a mount below a folder: those of a sandbox that was given it."""
    needle = os.fsencode(folder)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (process / "mountinfo").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # gone
    return found
