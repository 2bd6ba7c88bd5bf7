from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import described, descriptors, opened

from builder.protocol.channel import BadMessage
from builder.protocol.messages import Action, File
from worker.builds.action_cache import RESOLVED_SECONDS, ActionCache, Perform, Received
from worker.builds.wheel_store import NoWheelStore, Record, Spoiled, key_of

SOURCE = "ab" * 32
PARTS = {"source": SOURCE, "abi": "cp312"}
KEY = key_of(PARTS)
WHEEL = "six-1.0-py3-none-any.whl"
SDIST = {"name": "six", "version": "1.0", "sha256": SOURCE}
RESOLVE = Action(kind="resolve", inputs={"lines": ["six"]})


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


class Store:
    """A wheel store in memory."""

    def __init__(self, found: Record | None = None, spoiled: bool = False) -> None:
        self.found = found
        self.spoiled = spoiled
        self.stored: list[tuple[str, Record, bytes]] = []

    def fetch(self, key: str, into: Path) -> Record | None:
        if self.spoiled:
            raise Spoiled("cut off")
        if self.found:
            (into / self.found["wheel"]["file"]).write_bytes(b"stored")
        return self.found

    def store(self, key: str, record: Record, wheel: Path) -> None:
        self.stored.append((key, record, wheel.read_bytes()))


def giving(
    files: Mapping[str, bytes], lies: Mapping[str, Any] | None = None, calls: list[Action] | None = None
) -> Perform:
    """Perform an action by handing out these files."""

    def perform(action: Action) -> Received:
        if calls is not None:
            calls.append(action)
        with opened(*files.values()) as real:
            told = [File.model_validate({**described(*one), **(lies or {})}) for one in files.items()]
            return Received(told, [os.dup(one) for one in real])

    return perform


def record(content: bytes = b"wheel", **changes: Any) -> dict[str, Any]:
    wheel = {"file": WHEEL, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return {"schema": 1, "key": PARTS, "wheel": wheel, **changes}


def wheel(**changes: Any) -> Action:
    return Action(kind="wheel", inputs={"key": PARTS, "sdist": SDIST, **changes})


def nothing_kept(cache: ActionCache, store: Store) -> bool:
    kept = [path for path in cache.folder.glob("*/*") if path.suffix != ".making"]
    return kept == [] and store.stored == []


def unsaid(text: str) -> None:
    raise AssertionError(text)


def test_a_result_is_kept_for_who_asks_again(tmp_path: Path) -> None:
    cache, calls = ActionCache(tmp_path, NoWheelStore()), list[Action]()
    results = [cache.result(RESOLVE, giving({"resolution.json": b"{}"}, calls=calls), unsaid) for _ in range(2)]
    assert [(one.new, one.key, (one.folder / "resolution.json").read_bytes()) for one in results] == [
        (True, RESOLVE.key, b"{}"), (False, RESOLVE.key, b"{}"),
    ]  # fmt: skip
    assert results[0].files == results[1].files
    assert calls == [RESOLVE]


def test_a_resolution_gets_old_and_a_layer_does_not(tmp_path: Path) -> None:
    now = [1e9]
    cache, calls = ActionCache(tmp_path, NoWheelStore(), clock=lambda: now[0]), list[Action]()
    expand = Action(kind="expand", inputs={})
    for later in (0, RESOLVED_SECONDS - 1, 2):
        now[0] += later
        cache.result(RESOLVE, giving({"resolution.json": b"{}"}, calls=calls), unsaid)
        cache.result(expand, giving({"expanded.json": b"{}"}, calls=calls), unsaid)
    assert [one.kind for one in calls] == ["resolve", "expand", "resolve"]


def test_two_threads_with_the_same_action_have_one_builder(tmp_path: Path) -> None:
    cache, calls = ActionCache(tmp_path, NoWheelStore()), list[Action]()
    begun, go_on = threading.Event(), threading.Event()
    perform = giving({"resolution.json": b"{}"}, calls=calls)
    results = []

    def slow(action: Action) -> Received:
        begun.set()
        go_on.wait(20)
        return perform(action)

    def waits() -> None:
        go_on.set()  # called only while the other one holds the lock

    first = threading.Thread(target=lambda: results.append(cache.result(RESOLVE, slow, unsaid)))
    first.start()
    begun.wait(20)
    results.append(cache.result(RESOLVE, perform, unsaid, waits))
    first.join()
    assert calls == [RESOLVE]
    assert sorted(one.new for one in results) == [False, True]


def test_who_waits_for_another_can_be_told_to_stop(tmp_path: Path) -> None:
    cache = ActionCache(tmp_path, NoWheelStore())

    def perform(action: Action) -> Received:
        with pytest.raises(InterruptedError):
            cache.result(RESOLVE, giving({}), unsaid, stop)
        return giving({"resolution.json": b"{}"})(action)

    def stop() -> None:
        raise InterruptedError

    assert cache.result(RESOLVE, perform, unsaid).new


def test_what_fails_leaves_nothing_and_is_tried_anew(tmp_path: Path) -> None:
    cache, store = ActionCache(tmp_path, NoWheelStore()), Store()

    def fails(_: Action) -> Received:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        cache.result(RESOLVE, fails, unsaid)
    assert nothing_kept(cache, store)
    assert cache.result(RESOLVE, giving({"resolution.json": b"{}"}), unsaid).new


@pytest.mark.parametrize("damage", ["", "{", "[1]", '[{"name": "../x", "size": 0, "sha256": ""}]'])
def test_a_list_of_files_that_is_damaged_is_made_anew(tmp_path: Path, damage: str) -> None:
    cache = ActionCache(tmp_path, NoWheelStore())
    kept = cache.result(RESOLVE, giving({"resolution.json": b"{}"}), unsaid)
    (kept.folder / "files.json").write_text(damage)
    assert cache.result(RESOLVE, giving({"resolution.json": b"{}"}), unsaid).new


@pytest.mark.parametrize(
    "files",
    [{}, {"other.json": b""}, {"resolution.json": b"", "more.json": b""}, {"files.json": b"[]"},
     {"resolution.json": b" " * (32 * 2**20 + 1)}],
    ids=["none", "another", "one more", "our own", "too large"],
)  # fmt: skip
def test_another_set_of_files(tmp_path: Path, files: dict[str, bytes]) -> None:
    cache, store = ActionCache(tmp_path, NoWheelStore()), Store()
    with pytest.raises(BadMessage):
        cache.result(RESOLVE, giving(files), unsaid)
    assert nothing_kept(cache, store)


@pytest.mark.parametrize("lie", [{"sha256": "0" * 64}, {"size": 1}])
def test_a_file_that_is_not_as_described(tmp_path: Path, lie: dict[str, Any]) -> None:
    cache, store = ActionCache(tmp_path, NoWheelStore()), Store()
    with pytest.raises(BadMessage, match="description"):
        cache.result(RESOLVE, giving({"resolution.json": b"{}"}, lie), unsaid)
    assert nothing_kept(cache, store)


def test_others_may_read_a_result_whatever_our_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        kept = ActionCache(tmp_path / "cache", NoWheelStore()).result(
            RESOLVE, giving({"resolution.json": b"{}"}), unsaid
        )
    finally:
        os.umask(before)
    assert kept.folder.stat().st_mode & 0o777 == 0o755
    assert (kept.folder / "resolution.json").stat().st_mode & 0o777 == 0o644


# ------------------------------------------------------------ wheels


def test_a_wheel_is_kept_and_offered_under_its_key(tmp_path: Path) -> None:
    store = Store()
    cache = ActionCache(tmp_path, store, worker="here")
    files = {"record.json": json.dumps(record()).encode(), WHEEL: b"wheel"}
    kept = cache.result(wheel(), giving(files), unsaid)
    assert (kept.key, (kept.folder / WHEEL).read_bytes()) == (KEY, b"wheel")
    assert store.stored == [(KEY, {**record(), "worker": "here"}, b"wheel")]


def test_a_wheel_that_is_stored_is_taken_and_no_builder_started(tmp_path: Path) -> None:
    said: list[str] = []
    cache = ActionCache(tmp_path, Store(record(b"stored", worker="there")))
    kept = cache.result(wheel(), giving({}), said.append)
    assert (kept.folder / WHEEL).read_bytes() == b"stored"
    assert said == ["six 1.0: built before by there"]


def test_a_wheel_that_is_spoiled_is_built_anew(tmp_path: Path) -> None:
    said: list[str] = []
    files = {"record.json": json.dumps(record()).encode(), WHEEL: b"wheel"}
    ActionCache(tmp_path, Store(spoiled=True)).result(wheel(), giving(files), said.append)
    assert said == ["six 1.0: the wheel that was stored is spoiled (cut off): built anew"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"sdist": {**SDIST, "sha256": "cd" * 32}}, {"key": {**PARTS, "source": "cd" * 32}}, {"key": {}}, {"key": None},
        {"key": []}, {"sdist": None}, {"sdist": []}, {"sdist": {}}, {"key": "x"},
    ],
)  # fmt: skip
def test_a_key_that_is_another_sources(tmp_path: Path, inputs: dict[str, Any]) -> None:
    store = Store()
    cache = ActionCache(tmp_path, store)
    files = {"record.json": json.dumps(record()).encode(), WHEEL: b"wheel"}
    with pytest.raises(BadMessage, match="wheel"):
        cache.result(wheel(**inputs), giving(files), unsaid)
    assert nothing_kept(cache, store)


DEEP = "[" * 100_000
RECORDS: dict[str, Any] = {
    "of another source": record(key={**PARTS, "source": "cd" * 32}),
    "of another interpreter": record(key={**PARTS, "abi": "cp311"}),
    "of another wheel": record(b"other"),
    "none": {},
    "no object": [],
    "no JSON": "{",
    "nested": DEEP,
    "no text": b"\xff",
    "a path": record(wheel={"file": f"../{WHEEL}", "sha256": hashlib.sha256(b"wheel").hexdigest()}),
    "a device": record(wheel={"file": "/dev/zero", "sha256": "0" * 64}),
    "a file of the machine": record(
        wheel={"file": "/etc/hostname", "sha256": hashlib.sha256(Path("/etc/hostname").read_bytes()).hexdigest()}
    ),
    "up": record(wheel={"file": "..", "sha256": "0" * 64}),
    "itself": record(wheel={"file": "record.json", "sha256": "0" * 64}),
    "another name": record(wheel={"file": "other-1.0-py3-none-any.whl", "sha256": "0" * 64}),
    "no name": record(wheel={"file": None, "sha256": "0" * 64}),
    "a short hash": record(wheel={"file": WHEEL, "sha256": ""}),
    "a list of hashes": record(wheel={"file": WHEEL, "sha256": ["0"] * 64}),
}


@pytest.mark.parametrize("lie", RECORDS)
def test_a_record_that_lies(tmp_path: Path, lie: str) -> None:
    store, said = Store(), RECORDS[lie]
    cache = ActionCache(tmp_path, store)
    data = said if isinstance(said, bytes) else (said if isinstance(said, str) else json.dumps(said)).encode()
    with pytest.raises(BadMessage):
        cache.result(wheel(), giving({"record.json": data, WHEEL: b"wheel"}), unsaid)
    assert nothing_kept(cache, store)


@pytest.mark.parametrize(
    "names", [(WHEEL,), ("record.json",), ("record.json", "six.zip"), ("record.json", WHEEL, "a.whl"), (WHEEL, "a.whl")]
)
def test_another_set_of_files_than_a_wheel_has(tmp_path: Path, names: tuple[str, ...]) -> None:
    store = Store()
    cache = ActionCache(tmp_path, store)
    files = {name: json.dumps(record()).encode() if name == "record.json" else b"wheel" for name in names}
    with pytest.raises(BadMessage, match="another set of files"):
        cache.result(wheel(), giving(files), unsaid)
    assert nothing_kept(cache, store)
