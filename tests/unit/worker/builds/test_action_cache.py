"""Results are made once, kept for all who ask the same, and taken only as what their action makes."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from builder.protocol import tree_files
from builder.protocol.channel import BadMessage
from builder.protocol.files import describe
from builder.protocol.messages import Action, File
from worker.builds.action_cache import RESOLVED_SECONDS, ActionCache, Cached, Received
from worker.builds.eviction import Evictor
from worker.builds.wheel_store import NoWheelStore, Record, WheelStore, key_of, verify

EXPAND = Action(kind="expand", inputs={"sam": {}})
RESOLVE = Action(kind="resolve", inputs={"question": "six"})
LAYER = Action(kind="layer", inputs={"pins": ["six"]})
SOURCE, OTHER_SOURCE = "a" * 64, "b" * 64
PARTS = {"source": SOURCE, "abi": "cp312"}
KEY = key_of(PARTS)
WHEEL_NAME = "shop-1.0-py3-none-any.whl"
WHEEL = Action(kind="wheel", inputs={"key": PARTS, "sdist": {"name": "shop", "version": "1.0", "sha256": SOURCE}})
EXPANDED = {"expanded.json": b"{}"}
NOON = 1_000_000.0


@dataclass
class Builder:
    """Answers every action with the same files, and counts how often it is asked."""

    folder: Path
    files: Mapping[str, bytes]
    asked: list[Action] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def __call__(self, action: Action) -> Received:
        self.asked.append(action)
        self.meanwhile()
        made = self.folder / f"made-{len(self.asked)}"
        made.mkdir(parents=True)
        for name, data in self.files.items():
            (made / name).write_bytes(data)
        with ExitStack() as opened:
            described = [describe(made / name, name, opened) for name in self.files]
            return Received([file for file, _ in described], [os.dup(at) for _, at in described])


@dataclass
class MemoryWheelStore:
    """A bucket in memory, with conditional writes."""

    kept: dict[str, tuple[Record, bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, key: str, into: Path) -> Record | None:
        if key not in self.kept:
            return None
        record, data = self.kept[key]
        (into / record["wheel"]["file"]).write_bytes(data)
        verify(into / record["wheel"]["file"], record)
        return record

    def store(self, key: str, record: Record, wheel: Path) -> None:
        with self.lock:
            found = self.kept.get(key)
            if found is None or hashlib.sha256(found[1]).hexdigest() != found[0]["wheel"]["sha256"]:
                self.kept[key] = (record, wheel.read_bytes())


def make(
    cache: ActionCache, builder: Callable[[Action], Received], action: Action = EXPAND, said: list[str] | None = None
) -> Cached:
    return cache.result(action, builder, ([] if said is None else said).append)


def make_cache(folder: Path, wheels: WheelStore | None = None, now: Callable[[], float] = lambda: NOON) -> ActionCache:
    return ActionCache(folder / "actions", wheels or NoWheelStore(), worker=folder.name, clock=now)


def wait(barrier: threading.Barrier) -> None:
    barrier.wait(60)


def wheel_files(content: bytes = b"wheel", key: Mapping[str, str] = PARTS, name: str = WHEEL_NAME) -> dict[str, bytes]:
    wheel = {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return {WHEEL_NAME: content, "record.json": json.dumps({"schema": 1, "key": key, "wheel": wheel}).encode()}


def layer_files(index: Any = (("python/six.py", 5, False), ("python/tool", 3, True))) -> dict[str, bytes]:
    return {
        "layer.zip": b"zip", "meta.json": b"{}", "binaries.json": b"[]",
        tree_files.INDEX: json.dumps(index).encode(), tree_files.CONTENT: b"x = 1ELF",
    }  # fmt: skip


# ---------------------------------------------------------------- made once


def test_a_result_is_made_once_and_found_again(tmp_path: Path) -> None:
    builder = Builder(tmp_path, EXPANDED)
    first = make(make_cache(tmp_path), builder)
    again = make(make_cache(tmp_path), builder)
    assert (first.new, again.new) == (True, False)
    assert (again.folder, again.key, again.files) == (first.folder, first.key, first.files)
    assert (again.folder / "expanded.json").read_bytes() == b"{}"
    assert first.files["expanded.json"] == File(name="expanded.json", size=2, sha256=hashlib.sha256(b"{}").hexdigest())
    assert builder.asked == [EXPAND]


@pytest.mark.parametrize(
    "other", [Action(kind="expand", inputs={"sam": {"A": 1}}), Action(kind="check", inputs={"sam": {}})]
)
def test_other_inputs_and_other_kinds_have_other_results(tmp_path: Path, other: Action) -> None:
    cache = make_cache(tmp_path)
    builder = Builder(tmp_path, EXPANDED)
    checker = Builder(tmp_path / "check", {"check.json": b"{}"})
    make(cache, builder)
    assert make(cache, builder if other.kind == "expand" else checker, other).new


def test_of_many_at_once_one_has_it_made_and_the_others_wait(tmp_path: Path) -> None:
    builder = Builder(tmp_path, EXPANDED)
    all_there = threading.Barrier(6)
    found: list[Cached] = []

    def ask() -> None:
        cache = make_cache(tmp_path)
        all_there.wait(60)
        found.append(make(cache, builder))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builder.asked) == 1
    assert sorted(one.new for one in found) == [False] * 5 + [True]
    assert len({one.folder for one in found}) == 1


def test_a_failure_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("no wheel")

    cache = make_cache(tmp_path)
    with pytest.raises(RuntimeError, match="no wheel"):
        make(cache, Builder(tmp_path, EXPANDED, meanwhile=fail))
    assert [path.suffix for path in (cache.folder / "expand").iterdir()] == [".making"]
    assert make(cache, Builder(tmp_path, EXPANDED)).new


def test_what_an_interrupted_run_left_is_replaced(tmp_path: Path) -> None:
    cache, builder = make_cache(tmp_path), Builder(tmp_path, EXPANDED)
    place = make(cache, builder).folder
    place.rename(place.with_suffix(".new"))
    (place.with_suffix(".new") / "stale.py").touch()
    assert sorted(path.name for path in make(cache, builder).folder.iterdir()) == ["expanded.json", "files.json"]


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"\xff", b'[{"name": 1}]'])
def test_a_spoilt_list_of_files_is_made_anew(tmp_path: Path, spoilt: bytes) -> None:
    cache, builder = make_cache(tmp_path), Builder(tmp_path, EXPANDED)
    first = make(cache, builder)
    (first.folder / "files.json").write_bytes(spoilt)
    assert make(cache, builder).files == first.files
    assert not make(cache, builder).new
    assert len(builder.asked) == 2


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b"{}{}"])
@pytest.mark.parametrize(
    ("action", "files", "name"), [(EXPAND, EXPANDED, "expanded.json"), (LAYER, layer_files(), "layer.zip")]
)
def test_a_spoilt_result_is_made_anew(
    tmp_path: Path, action: Action, files: dict[str, bytes], name: str, spoilt: bytes
) -> None:
    cache, builder = make_cache(tmp_path), Builder(tmp_path, files)
    first = make(cache, builder, action)
    (first.folder / name).write_bytes(spoilt)
    again = make(cache, builder, action)
    assert (again.folder / name).read_bytes() == files[name]
    assert not make(cache, builder, action).new
    assert len(builder.asked) == 2


def test_a_resolution_is_taken_again_for_a_while_only(tmp_path: Path) -> None:
    builder = Builder(tmp_path, {"resolution.json": b"[]"})
    for at in (NOON, NOON + RESOLVED_SECONDS / 2, NOON + 1 + RESOLVED_SECONDS, NOON + 2 + RESOLVED_SECONDS):
        make(make_cache(tmp_path, now=partial(float, at)), builder, RESOLVE)
    assert len(builder.asked) == 2
    make(make_cache(tmp_path), builder, Action(kind="resolve", inputs={"question": "six<2"}))
    assert len(builder.asked) == 3


def test_a_resolution_of_the_future_is_not_taken(tmp_path: Path) -> None:
    builder = Builder(tmp_path, {"resolution.json": b"[]"})
    make(make_cache(tmp_path, now=lambda: NOON + 5), builder, RESOLVE)
    assert make(make_cache(tmp_path), builder, RESOLVE).new


def test_other_results_do_not_expire(tmp_path: Path) -> None:
    builder = Builder(tmp_path, EXPANDED)
    make(make_cache(tmp_path), builder)
    assert not make(make_cache(tmp_path, now=lambda: NOON + 1000 * RESOLVED_SECONDS), builder).new


# ---------------------------------------------------------------- taken only as what it must be


@pytest.mark.parametrize(
    "files",
    [{}, {"other.json": b""}, {**EXPANDED, "more.json": b""}, {"resolution.json": b""},
     {"expanded.json": bytes(16 * 2**20 + 1)}],
    ids=["nothing", "another", "more", "of another action", "too large"],
)  # fmt: skip
def test_a_result_that_is_not_the_actions_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    cache = make_cache(tmp_path)
    with pytest.raises(BadMessage):
        make(cache, Builder(tmp_path, files))
    assert [path.suffix for path in (cache.folder / "expand").iterdir()] == [".making"]


def test_descriptors_are_closed_whatever_came(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    make(cache, Builder(tmp_path / "good", EXPANDED))
    with pytest.raises(BadMessage):
        make(cache, Builder(tmp_path / "bad", {"x.json": b""}), RESOLVE)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_is_not_as_described_is_refused(tmp_path: Path) -> None:
    def lying(action: Action) -> Received:
        received = Builder(tmp_path, EXPANDED)(action)
        return Received([received.files[0].model_copy(update={"sha256": "0" * 64})], received.descriptors)

    with pytest.raises(BadMessage, match="description"):
        make(make_cache(tmp_path), lying)


def test_a_layers_tree_is_made_anew(tmp_path: Path) -> None:
    made = make(make_cache(tmp_path), Builder(tmp_path, layer_files()), LAYER).folder
    assert (made / "tree" / "python" / "six.py").read_bytes() == b"x = 1"
    assert (made / "tree" / "python" / "tool").stat().st_mode & 0o777 == 0o755
    assert not (made / tree_files.CONTENT).exists()


@pytest.mark.parametrize(
    "index",
    [[["../evil.py", 8, False]], [["/evil.py", 8, False]], [["a", 4, False], ["a", 4, False]], [["a", 7, False]],
     [["a", 4, False], ["a/b", 4, False]], [["a", -1, False], ["b", 9, False]], "text", [["a", 8]]],
    ids=str,
)  # fmt: skip
def test_a_tree_that_leads_elsewhere_is_refused(tmp_path: Path, index: Any) -> None:
    cache = make_cache(tmp_path)
    with pytest.raises(BadMessage):
        make(cache, Builder(tmp_path, layer_files(index)), LAYER)
    assert [path.suffix for path in (cache.folder / "layer").iterdir()] == [".making"]
    assert not list(tmp_path.rglob("evil.py"))


# ---------------------------------------------------------------- wheels, for all workers


def test_a_wheel_is_built_once_for_all_and_says_by_whom(tmp_path: Path) -> None:
    store, said = MemoryWheelStore(), list[str]()
    builder = Builder(tmp_path, wheel_files())
    first = make(make_cache(tmp_path / "one", store), builder, WHEEL, said)
    assert not make(make_cache(tmp_path / "one", store), builder, WHEEL, said).new
    second = make(make_cache(tmp_path / "two", store), builder, WHEEL, said)
    assert len(builder.asked) == 1
    assert said == ["shop 1.0: built before by one"]
    assert (second.folder / WHEEL_NAME).read_bytes() == (first.folder / WHEEL_NAME).read_bytes() == b"wheel"
    assert json.loads((second.folder / "record.json").read_bytes())["worker"] == "one"
    assert store.kept[KEY][0]["worker"] == "one"


def test_where_a_source_comes_from_decides_nothing(tmp_path: Path) -> None:
    builder = Builder(tmp_path, wheel_files())
    make(make_cache(tmp_path), builder, WHEEL)
    elsewhere = {**WHEEL.inputs, "sdist": {**WHEEL.inputs["sdist"], "url": "https://elsewhere.example/shop.tar.gz"}}
    assert not make(make_cache(tmp_path), builder, Action(kind="wheel", inputs=elsewhere)).new


@pytest.mark.parametrize("found", [b"poison", b""])
def test_a_spoiled_wheel_in_the_store_is_built_anew_and_mended_for_all(tmp_path: Path, found: bytes) -> None:
    store, said = MemoryWheelStore(), list[str]()
    make(make_cache(tmp_path / "one", store), Builder(tmp_path / "first", wheel_files()), WHEEL)
    store.kept[KEY] = (store.kept[KEY][0], found)
    builder = Builder(tmp_path / "second", wheel_files(b"another"))
    second = make(make_cache(tmp_path / "two", store), builder, WHEEL, said)
    assert "spoiled" in said[0]
    assert (second.folder / WHEEL_NAME).read_bytes() == b"another"
    third = make(make_cache(tmp_path / "three", store), builder, WHEEL)
    assert (third.folder / WHEEL_NAME).read_bytes() == b"another"
    assert len(builder.asked) == 1


def test_a_wheel_that_was_cut_off_on_this_machine_is_fetched_again(tmp_path: Path) -> None:
    store, builder = MemoryWheelStore(), Builder(tmp_path, wheel_files())
    cache = make_cache(tmp_path, store)
    (make(cache, builder, WHEEL).folder / WHEEL_NAME).write_bytes(b"whe")
    assert (make(cache, builder, WHEEL).folder / WHEEL_NAME).read_bytes() == b"wheel"
    assert len(builder.asked) == 1


def test_of_two_workers_that_build_the_same_both_use_the_same(tmp_path: Path) -> None:
    store, both = MemoryWheelStore(), threading.Barrier(2)
    found: list[bytes] = []

    def work(name: str) -> None:
        files = wheel_files(name.encode())
        builder = Builder(tmp_path / f"of-{name}", files, meanwhile=lambda: wait(both))
        made = make(make_cache(tmp_path / name, store), builder, WHEEL)
        found.append((made.folder / WHEEL_NAME).read_bytes())

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1


def test_a_wheel_under_the_key_of_another_source_is_refused(tmp_path: Path) -> None:
    builder = Builder(tmp_path, wheel_files())
    stolen = {"key": PARTS, "sdist": {"name": "evil", "version": "1.0", "sha256": OTHER_SOURCE}}
    with pytest.raises(BadMessage, match="does not follow from its source"):
        make(make_cache(tmp_path), builder, Action(kind="wheel", inputs=stolen))
    assert builder.asked == []


@pytest.mark.parametrize(
    "inputs", [{}, {"key": PARTS}, {"key": "x", "sdist": {"sha256": SOURCE}}, {"key": PARTS, "sdist": 1}]
)
def test_inputs_that_are_none_of_a_wheel_are_refused(tmp_path: Path, inputs: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        make(make_cache(tmp_path), Builder(tmp_path, wheel_files()), Action(kind="wheel", inputs=inputs))


@pytest.mark.parametrize(
    "files",
    [
        wheel_files(key={**PARTS, "source": OTHER_SOURCE}),
        {**wheel_files(), WHEEL_NAME: b"exchanged"},
        wheel_files(name="other-1.0-py3-none-any.whl"),
        wheel_files(name="../../record.json"),
        {**wheel_files(), "record.json": b"{}"},
        {"record.json": wheel_files()["record.json"]},
        {**wheel_files(), "other-1.0-py3-none-any.whl": b""},
    ],
    ids=["another's record", "exchanged", "another name", "a path", "no record", "no wheel", "two wheels"],
)
def test_what_is_no_wheel_with_its_record_is_refused_and_not_offered(tmp_path: Path, files: dict[str, bytes]) -> None:
    store = MemoryWheelStore()
    with pytest.raises(BadMessage):
        make(make_cache(tmp_path, store), Builder(tmp_path, files), WHEEL)
    assert store.kept == {}


# ---------------------------------------------------------------- the folder


@pytest.mark.parametrize(("action", "files"), [(LAYER, layer_files()), (WHEEL, wheel_files()), (EXPAND, EXPANDED)])
def test_other_users_can_read_results_whatever_the_umask_is(
    tmp_path: Path, action: Action, files: dict[str, bytes]
) -> None:
    before = os.umask(0o077)
    try:
        cache = make_cache(tmp_path)
        made = make(cache, Builder(tmp_path, files), action).folder
    finally:
        os.umask(before)
    for path in (cache.folder, made.parent, made, *made.rglob("*")):
        wanted = 0o555 if path.is_dir() else 0o444
        assert path.stat().st_mode & wanted == wanted, path
        assert path.stat().st_mode & 0o022 == 0, path


def test_what_was_used_longest_ago_is_evicted_first_and_made_again_when_it_is_wanted(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    builder = Builder(tmp_path, EXPANDED)
    others = [Action(kind="expand", inputs={"sam": {"Number": number}}) for number in range(3)]
    places = [make(cache, builder, action).folder for action in others]
    for age, place in enumerate(places):
        os.utime(place, (age, age))
    make(cache, builder, others[0])  # used again: it is now the newest
    Evictor(tmp_path, sum(path.stat().st_size for path in places[0].iterdir()), lacks=lambda _: 0).evict()
    assert [place.exists() for place in places] == [True, False, False]
    assert make(cache, builder, others[1]).new
