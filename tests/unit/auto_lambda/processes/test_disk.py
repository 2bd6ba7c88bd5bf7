"""What a run has written is found whatever else happens on the same disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_lambda.processes import disk
from auto_lambda.processes.disk import DiskMeter

MEGABYTE = 1024 * 1024
LIMIT = 4 * MEGABYTE


class Disk:
    """A file system on which others write and delete."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 1000 * MEGABYTE
        self.seconds = 0.0
        monkeypatch.setattr(disk, "_free", lambda folder: (self.free, 1_000_000))

    def write(self, folder: Path, size: int) -> None:
        (folder / "written").write_bytes(os.urandom(size))
        self.free -= size

    def clock(self) -> float:
        return self.seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize("freed", [0, 1, 3 * LIMIT])
def test_what_others_have_freed_before_hides_nothing(machine: Disk, tmp_path: Path, freed: int) -> None:
    meter = DiskMeter((tmp_path,), LIMIT, machine.clock)
    machine.free += freed
    assert not meter.exceeded(os.getpid())
    machine.write(tmp_path, LIMIT + MEGABYTE)
    assert meter.exceeded(os.getpid())


def test_what_others_free_meanwhile_hides_it_for_a_moment_only(machine: Disk, tmp_path: Path) -> None:
    meter = DiskMeter((tmp_path,), LIMIT, machine.clock)
    machine.write(tmp_path, LIMIT + MEGABYTE)
    machine.free += 3 * LIMIT
    looks = []
    for machine.seconds in range(10):
        looks.append(meter.exceeded(os.getpid()))
    assert True in looks


def test_what_others_write_is_not_the_run_s(machine: Disk, tmp_path: Path) -> None:
    meter = DiskMeter((tmp_path,), LIMIT, machine.clock)
    for machine.seconds in range(10):
        machine.free -= LIMIT
        assert not meter.exceeded(os.getpid())


def test_a_disk_that_others_have_filled_is_nobody_s_fault(machine: Disk, tmp_path: Path) -> None:
    meter = DiskMeter((tmp_path,), LIMIT, machine.clock)
    machine.free = MEGABYTE
    with pytest.raises(OSError, match="nearly full"):
        meter.exceeded(os.getpid())


def test_folders_are_not_walked_at_each_look(machine: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[Path] = []

    def walk(folder: Path) -> Iterator[os.stat_result]:
        walks.append(folder)
        return iter(())

    monkeypatch.setattr(disk, "_walk", walk)
    meter = DiskMeter((tmp_path,), LIMIT, machine.clock)
    for look in range(100):
        machine.seconds = look / 10
        assert not meter.exceeded(os.getpid())
    assert 1 <= len(walks) <= 5
