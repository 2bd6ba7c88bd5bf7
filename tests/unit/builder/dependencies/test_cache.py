from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.dependencies.cache import FREE_BYTES, Keeper, using
from builder.dependencies.cache import keep as keep_file

DAY = 86_400.0
NOW = 100 * DAY


def entry(path: Path, age: float, size: int = 1000) -> Path:
    path.mkdir(parents=True)
    (path / "data").write_bytes(b"x" * size)
    os.utime(path, (NOW - age, NOW - age))
    return path


def keep(cache: Path, limit: int, lacks: int = -1) -> None:
    Keeper(cache, limit, lambda: NOW, lambda _: lacks).trim()


def test_nothing_goes_while_there_is_room(tmp_path: Path) -> None:
    layer = entry(tmp_path / "packages" / "layers" / "a", DAY)
    keep(tmp_path, 1000)
    assert layer.exists()


def test_what_was_used_longest_ago_goes_first_of_whatever_kind(tmp_path: Path) -> None:
    old = entry(tmp_path / "wheels" / "old", 9 * DAY)
    middle = entry(tmp_path / "packages" / "layers" / "middle", 5 * DAY)
    new = entry(tmp_path / "packages" / "layers" / "new", DAY)
    resolution, expansion = tmp_path / "resolutions" / "oldest", tmp_path / "expansions" / "oldest.json"
    for small in (resolution, expansion):
        small.parent.mkdir()
        small.write_bytes(b"x")
        os.utime(small, (0, 0))
    keep(tmp_path, 1500)
    assert [path.exists() for path in (resolution, expansion, old, middle, new)] == [False, False, False, False, True]


def test_a_disk_that_is_nearly_full_takes_from_the_cache_what_it_lacks(tmp_path: Path) -> None:
    old = entry(tmp_path / "wheels" / "old", 9 * DAY)
    audit = tmp_path / "audits" / "middle.json"
    audit.parent.mkdir()
    audit.write_bytes(b"x" * 1000)
    os.utime(audit, (NOW - 5 * DAY, NOW - 5 * DAY))
    new = entry(tmp_path / "packages" / "layers" / "new", DAY)
    keep(tmp_path, 1_000_000, lacks=1500)
    assert [path.exists() for path in (old, audit, new)] == [False, False, True]


def test_a_tenth_of_the_disk_but_no_more_than_builds_need_is_kept_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = entry(tmp_path / "wheels" / "old", 9 * DAY)

    def disk(total: int, free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: (total, total - free, free))
        Keeper(tmp_path, 1_000_000, lambda: NOW).trim()

    disk(10_000, 1_000)
    disk(100 * FREE_BYTES, FREE_BYTES)
    assert old.exists()
    disk(10_000, 999)
    assert not old.exists()


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


def test_a_small_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    place, seen = tmp_path / "audits" / "one.json", set[str]()
    texts = [str(number) * 100_000 for number in range(4)]
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            if place.exists():
                seen.add(place.read_text())

    reader = threading.Thread(target=look)
    reader.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda text: keep_file(text, place, NOW), texts * 5))
    over.set()
    reader.join()
    assert seen <= set(texts)
    assert place.stat().st_mtime == NOW
    assert [path.name for path in place.parent.iterdir()] == ["one.json"]
