"""A pipeline in moto as its users see it: a bucket with zips and receipts, and a ledger, without a worker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from commands import BUCKET, RECEIPT

from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import Table
from auto_lambda.keys import App
from auto_lambda.model import Dropper, Proof
from worker.model import Release
from worker.records.ledger import LiveRelease, PastRelease, put_live, put_past_release

SHOP = App("dev", "shop")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ANNA = Dropper("AROAEXAMPLE:anna", "192.0.2.7")


@dataclass
class SeenPipeline:
    """What workers have left there. ``deployments`` and ``attempts`` count those that were made."""

    s3: Any
    table: Table
    deployments: int = 0
    attempts: int = 0

    def drop(self, app: App = SHOP, body: bytes = b"zip") -> str:
        """Drop a zip; its version."""
        return str(self.s3.put_object(Bucket=BUCKET, Key=app.key, Body=body)["VersionId"])

    def tell(self, app: App = SHOP, **fields: Any) -> None:
        """Write a receipt."""
        whole = {**RECEIPT, "app": app.name, "stage": app.stage, **fields}
        key = app.key.removesuffix(".zip") + ".receipt.json"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(whole).encode())

    def go_live(self, version: str, app: App = SHOP, before: str | None = None, **fields: Any) -> None:
        """Leave what a worker leaves of a zip that it has made live."""
        when = self._next()
        number = str(self.deployments)
        live = LiveRelease(
            app.key, version, None, when.isoformat(), "sha", "zappa", f"bundles/{number}.template.json", app.function,
            number, f"https://{app.name}.example/", when.isoformat(), before,
        )  # fmt: skip
        release = Release(live.template_key, version, "sha", 3, "zappa", "3.12", "x86_64", Proof(None, 1, 1))
        self.table.write(put_live(app, live))
        self.table.write(put_past_release(app, version, PastRelease(release.text(), before, when.isoformat())))
        self.attempt(version, "live", app, template_key=live.template_key, function_version=number)
        serving = {"url": live.url, "function": live.function, "version": number, "upload": version, "before": before}
        told = {"upload": {"key": app.key, "version": version}, "serving": serving, "version": number}
        self.tell(app, **{**told, "framework": "zappa", "updated": when.isoformat(), **fields})

    def attempt(self, version: str, outcome: Any, app: App = SHOP, **fields: Any) -> None:
        """Record an attempt that has ended."""
        self.attempts += 1
        started = NOON + timedelta(minutes=self.deployments)
        made = Attempt(
            app.key, version, "worker-1", 1, started, ended=started, outcome=outcome, step="verify", by=ANNA, **fields
        )
        self.table.write(made.put(app, self.attempts))

    def _next(self) -> datetime:
        self.deployments += 1
        return NOON + timedelta(minutes=self.deployments)
