"""Connections of another user of this machine."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NOBODY = 65534


@contextmanager
def another_user() -> Iterator[None]:
    """Let the sockets that this thread opens meanwhile be another user's; those of other threads stay ours."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    libc = ctypes.CDLL(None)
    libc.setfsuid(NOBODY)
    try:
        assert libc.setfsuid(-1) == NOBODY
        yield
    finally:
        libc.setfsuid(0)
