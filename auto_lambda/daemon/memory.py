"""The memory of a process that runs for long."""

from __future__ import annotations

import ctypes

_libc = ctypes.CDLL(None)
_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8  # malloc.h
_TRIM = 64 * 1024  # bytes


def spare_memory(heaps: int = 2) -> None:
    """Make glibc use so many heaps for all threads, instead of one each, and return free memory sooner.

    Call this at the start of a daemon.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, heaps)
        _libc.mallopt(_M_TRIM_THRESHOLD, _TRIM)


def trim_memory() -> None:
    """Return free memory to the system, after a daemon has done something large."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
