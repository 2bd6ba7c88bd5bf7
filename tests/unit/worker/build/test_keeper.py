from __future__ import annotations

import os
from pathlib import Path

from worker.build.keeper import Keeper, using

DAY = 86_400.0
NOW = 100 * DAY


def entry(path: Path, age: float, size: int = 1000) -> Path:
    path.mkdir(parents=True)
    (path / "data").write_bytes(b"x" * size)
    os.utime(path, (NOW - age, NOW - age))
    return path


def keep(cache: Path, limit: int) -> None:
    Keeper(cache, limit, lambda: NOW).trim()


def test_nothing_goes_while_there_is_room(tmp_path: Path) -> None:
    layer = entry(tmp_path / "packages" / "layers" / "a", DAY)
    keep(tmp_path, 1000)
    assert layer.exists()


def test_what_was_used_longest_ago_goes_first_of_whatever_kind(tmp_path: Path) -> None:
    old = entry(tmp_path / "wheels" / "old", 9 * DAY)
    middle = entry(tmp_path / "packages" / "layers" / "middle", 5 * DAY)
    new = entry(tmp_path / "packages" / "layers" / "new", DAY)
    resolution = tmp_path / "resolutions" / "oldest"
    resolution.parent.mkdir()
    resolution.write_bytes(b"x")
    os.utime(resolution, (0, 0))
    keep(tmp_path, 1500)
    assert [path.exists() for path in (resolution, old, middle, new)] == [False, False, False, True]


def test_what_a_build_may_still_use_stays_though_it_is_too_much(tmp_path: Path) -> None:
    used = entry(tmp_path / "packages" / "layers" / "used", 3600)
    unfinished = entry(tmp_path / "packages" / "layers" / "a.new", 9 * DAY)
    keep(tmp_path, 1)
    assert used.exists()
    assert unfinished.exists()


def test_downloads_are_forgotten_when_they_are_most_of_it_but_not_under_an_installation(tmp_path: Path) -> None:
    downloads = entry(tmp_path / "packages" / "uv", 0, 5000)
    layer = entry(tmp_path / "packages" / "layers" / "a", DAY)
    with using(downloads):
        Keeper(tmp_path, 6000 - 1, lambda: NOW).trim()
        assert downloads.exists()
    assert not layer.exists()
    entry(layer, DAY)
    keep(tmp_path, 6000 - 1)
    assert not downloads.exists()
    assert layer.exists()


def test_it_looks_only_once_in_a_while(tmp_path: Path) -> None:
    times = [NOW, NOW + 1, NOW + 3600]
    keeper = Keeper(tmp_path, 1, lambda: times[0])
    keeper.trim()
    layer = entry(tmp_path / "packages" / "layers" / "a", DAY)
    del times[0]
    keeper.trim()
    assert layer.exists()
    del times[0]
    keeper.trim()
    assert not layer.exists()
