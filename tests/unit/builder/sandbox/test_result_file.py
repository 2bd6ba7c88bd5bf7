"""A script that never began is told from one whose answer the app took away."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.sandbox.result_file import ResultFile


def exchanged(path: Path) -> None:
    path.unlink()
    path.touch()


def made_to_look_new(path: Path) -> None:
    info = path.stat()
    path.write_text("answer")
    path.write_text("")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def test_nobody_came(tmp_path: Path) -> None:
    assert not ResultFile(tmp_path / "r").begun


@pytest.mark.parametrize("meddle", [Path.unlink, exchanged, made_to_look_new, lambda path: path.write_text("{}")])
def test_whatever_happens_to_it_is_seen(tmp_path: Path, meddle: Callable[[Path], None]) -> None:
    result = ResultFile(tmp_path / "r")
    time.sleep(0.02)  # file times go by the kernel's ticks; a process takes longer than this to start
    meddle(result.path)
    assert result.begun
