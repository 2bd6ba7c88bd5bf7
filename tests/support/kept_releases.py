"""An app with a history: its releases on the embedded AWS, and their records in a ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attempt_world import RELEASE
from deployments import World
from tables import FakeTable

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.dynamodb import Item, Put
from auto_lambda.aws.lambda_ import Functions, Versions
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.keys import App
from worker.deploy.deployer import Deployer
from worker.deploy.http_get import HttpAnswer
from worker.model import Bundle, Deployment
from worker.records.ledger import LiveRelease, put_live
from worker.records.retention import Due, RetentionRecords, put_due
from worker.retention.collector import Collector
from worker.retention.plan import Keeping
from worker.rollback import rollback_records

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class History:
    """Deploys releases, an hour after each other, as zip versions ``v1``, ``v2`` and so on."""

    def __init__(self, client: Callable[[str], Any], endpoint: str, folder: Path, app: App) -> None:
        self.world = World(client, endpoint, folder, app)
        # What is released here is never called: only what stays of it counts.
        self.world.deployer = Deployer(
            ObjectStore(self.world.s3), Stacks(self.world.cloudformation), Functions(self.world.lambda_),
            self.world.target, fetch=lambda _: HttpAnswer(200, ""), sleep=lambda _: None,
        )  # fmt: skip
        self.app = app
        self.table = FakeTable()
        self.records = RetentionRecords(self.table, "w")
        self.now = NOON
        self.bundle: Bundle | None = None
        self.before: str | None = None
        self._number = 0

    def release(self, color: str | None = None, **made: Any) -> Deployment:
        """Deploy what answers with a color, by default one of its own."""
        self._number += 1
        self.now += timedelta(hours=1)
        version = f"v{self._number}"
        made.setdefault("layer", {"dep.py": f"x = {color or version!r}"})
        bundle = self.world.make.bundle(environment={"COLOR": color or version}, **made)
        deployed = self.world.deploy(bundle, self.bundle.template_key if self.bundle else None)
        self.bundle = bundle
        self._record(version, deployed)
        self.before = version
        return deployed

    def _record(self, version: str, deployed: Deployment) -> None:
        made = replace(RELEASE, object_version=version, template_key=deployed.template_key)
        when = self.now.isoformat()
        live = LiveRelease(
            self.app.key, version, None, when, "", "zappa", deployed.template_key, deployed.function, deployed.version,
            None, when, self.before,
        )  # fmt: skip
        lease: Item = {"pk": f"app#{self.app}", "sk": "lease", "fence": self._number}
        rollbacks = rollback_records(self.app, made, self.before, self.now)
        self.table.write(Put(lease), put_live(self.app, live), *rollbacks, put_due(self.app, self.now))

    def collector(self, keep: int, versions: Any = None, grace: timedelta = timedelta(0)) -> Collector:
        world = self.world
        return Collector(
            self.records, ObjectStore(world.s3), "artifacts", Stacks(world.cloudformation),
            versions or Versions(world.lambda_), Keeping(keep, grace), now=lambda: self.now,
        )  # fmt: skip

    def collect(self, keep: int) -> None:
        for due in self.due:
            self.collector(keep).collect(due)

    @property
    def due(self) -> list[Due]:
        return self.records.due()

    def versions(self, deployed: Deployment) -> list[str]:
        return self.world.versions(deployed.function)

    @property
    def layers(self) -> int:
        return len(self.world.lambda_.list_layer_versions(LayerName=self.app.stack)["LayerVersions"])

    @property
    def collected(self) -> list[str]:
        return sorted(version for version, past in self.records.releases(self.app).items() if past.collected)
