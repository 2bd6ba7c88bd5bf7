"""One look at a pipeline: what is told to be running, and what is read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auto_lambda.attempts import Attempt
from auto_lambda.aws.s3 import Head, ObjectMissing
from auto_lambda.aws.sqs import Depth
from auto_lambda.receipts import Receipt
from auto_lambda_cli.progress.snapshot import LAST, NEWEST, Look, divide

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def receipt(app: str, status: str, *, ago: float = 0, **fields: Any) -> dict[str, Any]:
    return {
        "app": app, "stage": "dev", "status": status, "step": "build", "worker": "w1", "timings": {},
        "upload": {"key": f"apps/dev/{app}.zip", "version": "v1"}, "error": None, "url": None,
        "updated": (NOON - timedelta(seconds=ago)).isoformat(timespec="milliseconds"), **fields,
    }  # fmt: skip


def parsed(*receipts: dict[str, Any]) -> list[Receipt]:
    return [Receipt.from_json(fields) for fields in receipts]


def attempt(app: str, *, ago: float, ended: float | None = None) -> Attempt:
    started = NOON - timedelta(seconds=ago)
    end = NOON - timedelta(seconds=ended) if ended is not None else None
    return Attempt(f"apps/dev/{app}.zip", "v1", None, 1, started, None, end, "handed back" if end else None)


def test_a_build_runs_since_its_attempt_began_the_longest_first() -> None:
    receipts = [receipt("a", "building"), receipt("b", "deploying", step="verify"), receipt("c", "live")]
    running, rest = divide(parsed(*receipts), [attempt("a", ago=5), attempt("b", ago=61)], NOON)
    assert [(build.app, build.step, build.seconds) for build in running] == [
        ("dev/b", "verify", 61), ("dev/a", "build", 5),
    ]  # fmt: skip
    assert [one.app for one in rest] == ["c"]


def test_without_a_ledger_it_is_at_least_what_its_steps_took() -> None:
    (build,) = divide(parsed(*[receipt("a", "building", ago=2, timings={"fetch": 1.5, "unpack": 0.5})]), [], NOON)[0]
    assert build.seconds == pytest.approx(4)


def test_without_a_ledger_its_step_runs_since_it_began_however_often_the_worker_writes() -> None:
    began = (NOON - timedelta(seconds=9)).isoformat()
    told = receipt("a", "building", ago=2, timings={"fetch": 1.5}, step_began=began)
    (build,) = divide(parsed(told), [], NOON)[0]
    assert build.seconds == 10.5


def test_a_worker_that_should_have_written_again_is_silent_since_it_wrote() -> None:
    held_until = (NOON + timedelta(seconds=90)).isoformat()
    receipts = [receipt(name, "building", ago=ago, held_until=held_until) for name, ago in (("a", 40), ("b", 4))]
    running, _ = divide(parsed(*receipts), [], NOON)
    assert {build.app: build.silent_since for build in running} == {
        "dev/a": NOON - timedelta(seconds=40), "dev/b": None,
    }  # fmt: skip


def test_a_clock_that_is_behind_gives_no_negative_time() -> None:
    (build,) = divide(parsed(*[receipt("a", "building")]), [attempt("a", ago=-3)], NOON)[0]
    assert build.seconds == 0


def test_what_the_ledger_says_has_ended_is_not_running_whatever_its_receipt_says() -> None:
    running, rest = divide(parsed(*[receipt("a", "building")]), [attempt("a", ago=60, ended=5)], NOON)
    assert running == ()
    assert len(rest) == 1
    again = [attempt("a", ago=2), attempt("a", ago=60, ended=5)]  # the last begun first
    assert divide(parsed(*[receipt("a", "building")]), again, NOON)[0][0].seconds == 2


@dataclass
class FakeStore:
    """Receipts by app; ``reads`` are the keys that were got."""

    receipts: dict[str, str]
    reads: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def list(self, bucket: str, prefix: str) -> Iterable[Head]:
        for number, (app, text) in enumerate(self.receipts.items()):
            modified = NOON + timedelta(seconds=number)
            yield Head(f"{prefix}dev/{app}.zip", 1, None, modified, "zip")
            yield Head(f"{prefix}dev/{app}.receipt.json", len(text), None, modified, str(hash(text)))

    def get_start(self, bucket: str, key: str, at_most: int) -> bytes:
        self.reads.append(key)
        if key in self.gone:
            raise ObjectMissing(key)
        return self.receipts[key.removeprefix("apps/dev/").removesuffix(".receipt.json")].encode()


class FakeQueue:
    def depth(self) -> Depth:
        return Depth(3, 2, 1)


def look(store: FakeStore) -> Look:
    return Look(store, "uploads", FakeQueue(), lambda: NOON)


def test_only_receipts_that_changed_are_read_again() -> None:
    store = FakeStore({name: json.dumps(receipt(name, "live")) for name in "abc"})
    see = look(store)
    assert len(see().last) == 3
    store.receipts["b"] = json.dumps(receipt("b", "building"))
    assert [build.app for build in see().running] == ["dev/b"]
    assert store.reads[3:] == ["apps/dev/b.receipt.json"]


def test_of_many_receipts_only_the_newest_are_read_and_fewer_are_shown() -> None:
    store = FakeStore({f"a{number}": json.dumps(receipt(f"a{number}", "live")) for number in range(NEWEST + 5)})
    assert len(look(store)().last) == LAST
    assert len(store.reads) == NEWEST
    assert "apps/dev/a0.receipt.json" not in store.reads


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"updated": 3}', '{"updated": "soon"}', '{"updated": "2026-01-02"}']
)
def test_what_is_no_receipt_of_ours_is_passed_over(text: str) -> None:
    store = FakeStore({"bad": text, "good": json.dumps(receipt("good", "live"))})
    assert [told.app for told in look(store)().last] == ["dev/good"]


def test_a_receipt_that_is_deleted_in_between_is_passed_over() -> None:
    store = FakeStore({"a": json.dumps(receipt("a", "live"))}, gone={"apps/dev/a.receipt.json"})
    assert look(store)().last == ()


def test_a_receipt_tells_why_or_where() -> None:
    bad = receipt("bad", "failed", error={"code": "bad-config", "message": "m", "hint": "h"})
    good = receipt("good", "live", ago=1, url="https://shop.example/")
    nameless = receipt("x", "failed", ago=2, stage=None, error={"code": "bad-key", "message": "m", "hint": "h"})
    store = FakeStore({"bad": json.dumps(bad), "good": json.dumps(good), "x": json.dumps(nameless)})
    assert [(told.app, told.what) for told in look(store)().last] == [
        ("dev/bad", "bad-config"), ("dev/good", "https://shop.example/"), ("dev/x", "bad-key"),
    ]  # fmt: skip


def test_the_passing_of_time_is_no_change_and_a_step_is() -> None:
    store = FakeStore({"a": json.dumps(receipt("a", "building"))})
    times = iter([NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)])
    see = Look(store, "uploads", FakeQueue(), lambda: next(times))
    first, second = see(), see()
    assert first != second
    assert first.facts() == second.facts()
    store.receipts["a"] = json.dumps(receipt("a", "building", step="compile"))
    assert see().facts() != first.facts()


def test_as_json_it_has_everything() -> None:
    store = FakeStore({"a": json.dumps(receipt("a", "building", ago=3)), "b": json.dumps(receipt("b", "live"))})
    told = json.loads(json.dumps(look(store)().as_dict()))
    assert told["queue"] == {"visible": 3, "in_flight": 2, "delayed": 1, "dead_letters": None}
    assert told["workers"] == {"at_work": ["w1"], "group": None}
    running = {"app": "dev/a", "step": "build", "seconds": 3.0, "worker": "w1", "silent_since": None}
    assert told["running"] == [running]
    assert [entry["app"] for entry in told["last"]] == ["dev/b"]
