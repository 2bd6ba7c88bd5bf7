from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from auto_lambda.tools import exclusive
from worker.builds import eviction
from worker.builds.eviction import FREE_BYTES, Evictor

DAY = 86_400.0
NOW = 100 * DAY


def entry(path: Path, age: float, size: int = 1000) -> Path:
    path.mkdir(parents=True)
    (path / "data").write_bytes(b"x" * size)
    os.utime(path, (NOW - age, NOW - age))
    return path


def evict(cache: Path, limit: int, lacks: int = -1) -> None:
    Evictor(cache, limit, lambda: NOW, lambda _: lacks).evict()


def test_nothing_goes_while_there_is_room(tmp_path: Path) -> None:
    layer = entry(tmp_path / "actions" / "layer" / "a", DAY)
    evict(tmp_path, 1000)
    assert layer.exists()


def test_what_was_used_longest_ago_goes_first_of_whatever_kind(tmp_path: Path) -> None:
    old = entry(tmp_path / "actions" / "wheel" / "old", 9 * DAY)
    middle = entry(tmp_path / "actions" / "layer" / "middle", 5 * DAY)
    new = entry(tmp_path / "actions" / "layer" / "new", DAY)
    resolution = entry(tmp_path / "actions" / "resolve" / "oldest", NOW, 1)
    expansion = entry(tmp_path / "actions" / "expand" / "oldest", NOW, 1)
    evict(tmp_path, 1500)
    assert [path.exists() for path in (resolution, expansion, old, middle, new)] == [False, False, False, False, True]


def test_no_part_of_a_result_is_left_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies while he removes a layer, or makes another one of it meanwhile, finds all of it or nothing."""
    layer = entry(tmp_path / "actions" / "layer" / "a", 9 * DAY)
    removed: list[Path] = []
    monkeypatch.setattr(eviction, "remove_tree", removed.append)
    evict(tmp_path, 1)
    assert not layer.exists()
    assert removed[-1] == layer.with_suffix(".new")
    assert (removed[-1] / "data").exists()


def test_a_disk_that_is_nearly_full_takes_from_the_cache_what_it_lacks(tmp_path: Path) -> None:
    old = entry(tmp_path / "actions" / "wheel" / "old", 9 * DAY)
    middle = entry(tmp_path / "actions" / "expand" / "middle", 5 * DAY)
    new = entry(tmp_path / "actions" / "layer" / "new", DAY)
    evict(tmp_path, 1_000_000, lacks=1500)
    assert [path.exists() for path in (old, middle, new)] == [False, False, True]


def test_a_tenth_of_the_disk_but_no_more_than_builds_need_is_kept_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = entry(tmp_path / "actions" / "wheel" / "old", 9 * DAY)

    def disk(total: int, free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: (total, total - free, free))
        Evictor(tmp_path, 1_000_000, lambda: NOW).evict()

    disk(10_000, 1_000)
    disk(100 * FREE_BYTES, FREE_BYTES)
    assert old.exists()
    disk(10_000, 999)
    assert not old.exists()


def test_what_a_build_may_still_use_stays_though_it_is_too_much(tmp_path: Path) -> None:
    used = entry(tmp_path / "actions" / "layer" / "used", 3600)
    unfinished = entry(tmp_path / "actions" / "layer" / "a.new", 9 * DAY)
    evict(tmp_path, 1)
    assert used.exists()
    assert unfinished.exists()


def test_a_result_that_a_build_is_given_meanwhile_stays(tmp_path: Path) -> None:
    old = entry(tmp_path / "actions" / "layer" / "old", 9 * DAY)
    evicting = threading.Thread(target=evict, args=(tmp_path, 1))
    with exclusive(old.with_suffix(".making")):  # as who looks for the result holds it
        evicting.start()
        evicting.join(0.5)
        os.utime(old, (NOW, NOW))
    evicting.join()
    assert old.exists()


@pytest.mark.parametrize("name", ["packages", "wheels", "resolutions", "audits", "expansions"])
def test_what_former_versions_kept_is_removed(tmp_path: Path, name: str) -> None:
    former = entry(tmp_path / name / "layers", 0)
    evict(tmp_path, 1_000_000)
    assert not former.exists()
    assert not (tmp_path / name).exists()


def test_it_looks_only_once_in_a_while(tmp_path: Path) -> None:
    times = [NOW, NOW + 1, NOW + 3600]
    evictor = Evictor(tmp_path, 1, lambda: times[0])
    evictor.evict()
    layer = entry(tmp_path / "actions" / "layer" / "a", DAY)
    del times[0]
    evictor.evict()
    assert layer.exists()
    del times[0]
    evictor.evict()
    assert not layer.exists()
