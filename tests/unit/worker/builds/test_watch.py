"""Builders that take too much, where no systemd unit limits them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from worker.builds.launcher import DirectLauncher
from worker.builds.watch import BuilderLimits

MEGABYTE = 1024 * 1024
LIMITS = BuilderLimits(memory=200 * MEGABYTE, processes=40, disk=50 * MEGABYTE)
GREEDY = {
    "memory": "kept = os.urandom(1) * 400_000_000",
    "processes": "[time.sleep(600) for _ in range(60) if os.fork() == 0]",
    "disk": "os.write(os.open('x', os.O_CREAT | os.O_WRONLY), bytes(100_000_000))",
}
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what another user hides")
HIDDEN = "os.mkdir('d'); os.chdir('d'); " + GREEDY["disk"] + "; os.chmod('.', 0)"


def ended(folder: Path, code: str) -> tuple[bool, str]:
    program = f"import os, time; os.chdir(os.environ['HOME']); {code}; time.sleep(600)"
    launcher = DirectLauncher(folder, (), program=(sys.executable, "-I", "-c", program), limits=LIMITS)
    running: Any = launcher.launch()
    for _ in range(200):
        if not running.alive():
            break
        time.sleep(0.1)
    alive = running.alive()
    return alive, running.end()


@pytest.mark.parametrize("limit", GREEDY)
def test_a_builder_that_takes_too_much_is_ended(tmp_path: Path, limit: str) -> None:
    alive, said = ended(tmp_path, GREEDY[limit])
    assert (alive, said.splitlines()[:1]) == (False, [f"ended for its {limit}"])
    assert list(tmp_path.iterdir()) == []


@ROOT
def test_a_closed_folder_hides_nothing_from_root(tmp_path: Path) -> None:
    alive, said = ended(tmp_path, HIDDEN)
    assert (alive, said.splitlines()[:1]) == (False, ["ended for its disk"])


def test_a_modest_builder_goes_on(tmp_path: Path) -> None:
    program = (sys.executable, "-I", "-c", "import time; time.sleep(600)")
    launcher = DirectLauncher(tmp_path, (), program=program, limits=LIMITS)
    running = launcher.launch()
    time.sleep(2.5)  # two looks
    assert running.alive()
    assert "ended for" not in running.end()
