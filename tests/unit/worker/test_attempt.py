"""One delivery from claim to receipt, with the ways in which it can end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.aws.s3 import Head, ObjectMissing
from auto_lambda.aws.sqs import Message
from auto_lambda.keys import App
from auto_lambda.redact import Redactor
from worker.attempt import Attempts
from worker.daemon import Cancel, Cancelled
from worker.errors import AppError, Code
from worker.inbox import Delivery, Letter, Misnamed
from worker.ledger import Failed, Live, Record
from worker.model import Deployment, Source, Upload
from worker.pipeline import Released
from worker.receipt import Receipt, Report

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SHOP = App("dev", "shop")
SHOP_ZIP = "apps/dev/shop.zip"


def upload(version: str | None = "v1", name: str = "shop") -> Upload:
    return Upload(App("dev", name), "drops", f"apps/dev/{name}.zip", version)


@dataclass
class World:
    """Bucket, ledger and pipeline in one; ``order`` tells what happened in which order."""

    newest: dict[str, str] = field(default_factory=lambda: {SHOP_ZIP: "v1"})
    records: dict[App, Record] = field(default_factory=dict)
    receipts: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    built: list[str] = field(default_factory=list)
    previous: list[str | None] = field(default_factory=list)
    trouble: Callable[[Upload], None] = lambda _: None
    put_fails: bool = False

    # The object store
    def head(self, bucket: str, key: str) -> Head:
        if key not in self.newest:
            raise ObjectMissing(key)
        return Head(key, 7, self.newest[key], NOON)

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        if self.put_fails:
            raise OSError("no S3")
        if key.endswith(".json"):
            self.receipts[key] = json.loads(body)
            self.order.append(f"receipt {self.receipts[key]['status']}")
        else:
            self.logs[key] = body.decode()

    # The ledger
    def record(self, app: App) -> Record:
        return self.records.get(app, Record())

    def set_live(self, app: App, live: Live) -> None:
        self.records[app] = Record(live, self.record(app).failed)
        self.order.append("ledger live")

    def set_failed(self, app: App, failed: Failed) -> None:
        self.records[app] = Record(self.record(app).live, failed)
        self.order.append("ledger failed")

    # The pipeline
    def run(
        self, upload: Upload, report: Report, *, previous: str | None, before_deploy: Callable[[], None]
    ) -> Released:
        self.built.append(str(upload.version))
        self.previous.append(previous)
        self.trouble(upload)
        before_deploy()
        source = Source(upload, Path("t"), Path("t"), "ab" * 32, 7, "zappa", "dev", "3.12", "x86_64")
        return Released(source, Deployment("al", "shop-dev", "2", "live", None, "bundles/2.json", changed=True))

    @property
    def receipt(self) -> Any:
        return self.receipts["apps/dev/shop.receipt.json"]


@pytest.fixture
def world() -> World:
    return World()


def attempts(world: World) -> Attempts:
    def report(receipt: Receipt, bucket: str) -> Report:
        return Report(receipt, bucket, world, Redactor(), now=lambda: NOON)

    return Attempts(world, world, world, report, worker="w", now=lambda: NOON)  # type: ignore[arg-type]


def deliver(world: World, *uploads: Upload, misnamed: tuple[Misnamed, ...] = (), cancel: Cancel | None = None) -> None:
    delivery = Delivery(Message("m", "h", "", 1, NOON), Letter(uploads, misnamed))
    attempts(world)(delivery, cancel or Cancel())


def fail(error: Exception) -> Callable[[Upload], None]:
    def trouble(_: Upload) -> None:
        raise error

    return trouble


APP_ERROR = AppError(Code.NO_FRAMEWORK, "no app", hint="add one")


def test_an_upload_goes_live_and_its_receipt_is_written_before_the_ledger_says_so(world: World) -> None:
    deliver(world, upload())
    assert world.order[-2:] == ["receipt live", "ledger live"]
    live = world.records[SHOP].live
    assert live is not None
    assert (live.object_version, live.template_key, live.function_version) == ("v1", "bundles/2.json", "2")
    assert (live.sha256, live.framework, live.modified) == ("ab" * 32, "zappa", NOON.isoformat())


def test_the_second_version_is_told_which_template_was_live(world: World) -> None:
    deliver(world, upload("v1"))
    world.newest[SHOP_ZIP] = "v2"
    deliver(world, upload("v2"))
    assert world.previous == [None, "bundles/2.json"]


def test_a_duplicate_does_nothing_at_all(world: World) -> None:
    deliver(world, upload())
    world.order.clear()
    deliver(world, upload())
    assert world.order == []
    assert world.built == ["v1"]


def test_an_older_version_does_not_touch_the_receipt_of_the_newer_one(world: World) -> None:
    world.newest[SHOP_ZIP] = "v2"
    deliver(world, upload("v2"))
    world.order.clear()
    deliver(world, upload("v1"))
    assert world.order == []
    assert world.receipt["upload"]["version"] == "v2"


def test_an_app_error_is_final_and_a_duplicate_of_it_does_nothing(world: World) -> None:
    world.trouble = fail(APP_ERROR)
    deliver(world, upload())
    assert world.receipt["status"] == "failed"
    assert world.receipt["error"]["code"] == "no-framework"
    assert world.order[-2:] == ["receipt failed", "ledger failed"]
    deliver(world, upload())
    assert world.built == ["v1"]


def test_a_failed_upload_tells_what_stays_live(world: World) -> None:
    deliver(world, upload("v1"))
    world.newest[SHOP_ZIP] = "v2"
    world.trouble = fail(APP_ERROR)
    deliver(world, upload("v2"))
    assert "shop-dev version 2" in world.logs["apps/dev/shop.log"]
    assert world.records[SHOP].live is not None


def test_any_other_failure_is_ours_delays_and_is_raised(world: World) -> None:
    world.trouble = fail(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        deliver(world, upload())
    assert world.receipt["status"] == "delayed"
    assert "disk full" in world.receipt["error"]["message"]
    assert world.records == {}
    world.trouble = lambda _: None
    deliver(world, upload())
    assert world.receipt["status"] == "live"


def test_a_receipt_that_cannot_be_written_fails_the_attempt_with_the_first_error(world: World) -> None:
    world.put_fails = True
    world.trouble = fail(ValueError("the first"))
    with pytest.raises(ValueError, match="the first"):
        deliver(world, upload())
    world.trouble = lambda _: None
    with pytest.raises(OSError, match="no S3"):
        deliver(world, upload())
    assert world.records == {}


def test_a_newer_zip_during_the_build_takes_its_place_before_anything_is_deployed(world: World) -> None:
    def replace_it(_: Upload) -> None:
        world.newest[SHOP_ZIP] = "v2"

    world.trouble = replace_it
    deliver(world, upload("v1"))
    assert world.receipt["status"] == "superseded"
    assert world.records == {}


def test_a_zip_deleted_during_the_build_still_goes_live(world: World) -> None:
    world.trouble = lambda _: world.newest.clear()
    deliver(world, upload("v1"))
    assert world.receipt["status"] == "live"


@pytest.mark.parametrize("error", [None, APP_ERROR, OSError("killed")])
def test_cancelled_work_changes_nothing_more(world: World, error: Exception | None) -> None:
    """Its processes are ended under it, which may look like any failure; the next worker must find a clean table."""
    cancel = Cancel()

    def cancelled(_: Upload) -> None:
        cancel.cancel("the worker leaves")
        if error:
            raise error

    world.trouble = cancelled
    with pytest.raises(Cancelled):
        deliver(world, upload(), cancel=cancel)
    assert world.records == {}
    assert all(receipt["status"] in ("queued", "building") for receipt in world.receipts.values())


def test_one_uploads_bad_luck_does_not_hold_up_the_others_of_its_message(world: World) -> None:
    world.newest |= {"apps/dev/blog.zip": "v1"}

    def only_shop(it: Upload) -> None:
        if it.app == SHOP:
            raise OSError("bad luck")

    world.trouble = only_shop
    with pytest.raises(OSError, match="bad luck"):
        deliver(world, upload(), upload(name="blog"))
    assert world.receipts["apps/dev/blog.receipt.json"]["status"] == "live"
    assert world.receipt["status"] == "delayed"


def test_a_key_that_names_no_app_gets_a_failed_receipt_beside_it(world: World) -> None:
    deliver(world, misnamed=(Misnamed("drops", "apps/My Shop.zip", "v1", 7, "the name 'My Shop' is not valid"),))
    receipt = world.receipts["apps/My Shop.receipt.json"]
    assert (receipt["status"], receipt["error"]["code"], receipt["app"]) == ("failed", "bad-key", None)
    assert "My Shop" in receipt["error"]["message"]
    assert world.built == []
