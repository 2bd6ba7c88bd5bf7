"""What attempts at uploads are tried in: a bucket, a pipeline that builds nothing, and a ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from event_bus import FakeBus
from tables import FakeTable

from auto_lambda.aws.s3 import Head, ObjectMissing
from auto_lambda.aws.sqs import Message
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import ROLLBACK, App
from auto_lambda.model import Proof
from auto_lambda.receipts import Receipt
from auto_lambda.redact import Redactor
from worker.cancellation import CancelToken
from worker.consumer.inbox import Delivery
from worker.consumer.messages import InvalidKey, ParsedMessage
from worker.deploy.context import DeployContext
from worker.guard import Effect
from worker.handler import DeliveryHandler
from worker.model import Deployment, Release, Upload
from worker.outcome import AttemptOutcome, Failed, Live, outcome_of_run
from worker.pipeline import Task
from worker.records.ledger import AppRecord, Ledger
from worker.records.outbox import Outbox
from worker.records.receipt import Report

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SHOP = App("dev", "shop")
SHOP_ZIP = "apps/dev/shop.zip"


RELEASE = Release(
    "bundles/v1.json", None, "ab" * 32, 7, "zappa", "3.12", "x86_64", Proof(312, 7000, 5000), {"build": 9.5}, ("mind",)
)


def upload(version: str | None = "v1", name: str = "shop") -> Upload:
    return Upload(App("dev", name), "drops", f"apps/dev/{name}.zip", version)


@dataclass
class World:
    """Bucket and pipeline in one, and a ledger; ``order`` tells what happened in which order."""

    newest: dict[str, str] = field(default_factory=lambda: {SHOP_ZIP: "v1"})
    table: FakeTable = field(default_factory=FakeTable)
    dead_letters: list[str] = field(default_factory=list)
    seconds: float = 0.0
    receipts: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    built: list[str] = field(default_factory=list)
    previous: list[str | None] = field(default_factory=list)
    trouble: Callable[[Upload], None] = lambda _: None
    in_artifacts: Callable[[], None] = lambda: None
    in_deploy: Callable[[], None] = lambda: None
    in_verify: Callable[[], None] = lambda: None
    in_going_back: Callable[[], None] = lambda: None
    in_removal: Callable[[], None] = lambda: None
    put_fails: bool = False
    resumed: list[Release | None] = field(default_factory=list)
    rollbacks: dict[str, str] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    rollback_releases: list[Release | None] = field(default_factory=list)
    restores: Deployment | None = None
    stands: Deployment | Exception | None = None
    waits: AppError | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    bus: FakeBus = field(default_factory=FakeBus)
    told: bool = True
    confidential: tuple[str, ...] = ()

    # The object store
    def head(self, bucket: str, key: str) -> Head:
        if key not in self.newest:
            raise ObjectMissing(key)
        version = self.newest[key]
        metadata = {ROLLBACK: self.rollbacks[version]} if version in self.rollbacks else {}
        return Head(key, 7, version, NOON, metadata={**self.metadata, **metadata})

    def get(self, bucket: str, key: str) -> bytes:
        if key not in self.logs:
            raise ObjectMissing(key)
        return self.logs[key].encode()

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        if self.put_fails:
            raise OSError("no S3")
        if key.endswith(".json"):
            self.receipts[key] = json.loads(body)
            self.order.append(f"receipt {self.receipts[key]['status']}")
        else:
            self.logs[key] = body.decode()

    # The ledger
    @property
    def ledger(self) -> Ledger:
        return Ledger(self.table, seconds=60, now=lambda: 1e9 + self.seconds, clock=lambda: self.seconds)

    def record(self, app: App = SHOP) -> AppRecord:
        return self.ledger.record(app)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.table, self.bus, now=lambda: NOON.timestamp() + self.seconds)

    # The pipeline
    def run(self, task: Task) -> AttemptOutcome:
        return outcome_of_run(lambda: self._run(task), task.guard.check)

    def _run(self, task: Task) -> AttemptOutcome:
        upload, guard, report = task.upload, task.guard, task.report
        self.rollback_releases.append(task.rollback)
        self.built.append(str(upload.version))
        self.previous.append(task.previous)
        self.resumed.append(task.resumed)
        report.hide(self.confidential)
        if task.resumed is None:
            guard.before_step("build")
            with report.step("build"):
                self.trouble(upload)
        template = self.templates.get(str(upload.version), f"bundles/{upload.version}.json")
        mine = replace(RELEASE, object_version=upload.version, template_key=template)
        release = task.resumed or task.rollback or mine
        if self.waits:
            return Failed(self.waits, release=release)
        effect = guard.effect_of(release, task.known_failure)
        guard.before_step("deploy")
        with report.step("deploy"):
            failure = task.known_failure or self._deploy(effect, artifacts=task.resumed is None)
            if failure:
                with effect("going back"):
                    self.in_going_back()
                    self.order.append("taken back")
                return Failed(failure, self.restores)
        return Live(release, Deployment("al", "shop-dev", "2", "live", None, release.template_key, changed=True))

    def _deploy(self, effect: Effect, *, artifacts: bool) -> AppError | None:
        if artifacts:
            with effect("artifacts"):
                self.in_artifacts()
        with effect("expand"):
            self.in_deploy()
            self.order.append("deployed")
        try:
            with effect("verify"):
                self.in_verify()
        except AppError as error:
            return error
        return None

    # The deployer
    def restore(self, app: App, template_key: str | None, previous: str, log: object) -> Deployment:
        self.order.append(f"restored {previous} over {template_key}")
        return Deployment("al", "shop-dev", "9", "live", None, previous, changed=True)

    def standing(self, app: App) -> Deployment | None:
        if isinstance(self.stands, Exception):
            raise self.stands
        return self.stands

    def remove(self, app: App, previous: str | None, context: DeployContext) -> None:
        with context.effect("stack"):
            self.in_removal()
            self.order.append(f"removed {app}, was {previous}")

    @property
    def receipt(self) -> Any:
        return self.receipts["apps/dev/shop.receipt.json"]


def delivery_handler(world: World, worker: str = "w", *, undeploys: bool = False) -> DeliveryHandler:
    def report(receipt: Receipt, bucket: str) -> Report:
        return Report(receipt, bucket, world, Redactor(), now=lambda: NOON)

    return DeliveryHandler(
        world, world.ledger, world, report, world,  # type: ignore[arg-type]
        lambda delivery, code, reason: world.dead_letters.append(f"{code}: {reason}"),
        worker=worker, undeploys=undeploys, outbox=world.outbox if world.told else None,
        now=lambda: NOON + timedelta(seconds=world.seconds),
    )  # fmt: skip


def deliver(
    world: World,
    *uploads: Upload,
    invalid_keys: tuple[InvalidKey, ...] = (),
    cancel_token: CancelToken | None = None,
    undeploys: bool = False,
    worker: str = "w",
) -> None:
    delivery = Delivery(Message("m", "h", "", 1, NOON), ParsedMessage(uploads, invalid_keys))
    delivery_handler(world, worker, undeploys=undeploys).handle(delivery, cancel_token or CancelToken())


def fail(error: Exception) -> Callable[[Upload], None]:
    def trouble(_: Upload) -> None:
        raise error

    return trouble


APP_ERROR = AppError(Code.NO_FRAMEWORK, "no app", hint="add one")
