"""Approves the rights of a release that waits for it, and has it deployed."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.sqs import Queue
from auto_lambda.keys import App, approval_key
from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.consumer.messages import REDRIVE
from worker.deploy.rights.permissions import PermissionDiff, compare, digest, permissions_of
from worker.model import Release
from worker.records.ledger import FailedUpload, Ledger


@dataclass(frozen=True, slots=True)
class Waiting:
    """A release that waits for an approval.

    Attributes:
        app: whose.
        upload: the failed upload that it was made from.
        diff: its permissions, and the changes since the live release.
        digest: of the permissions.
    """

    app: App
    upload: FailedUpload
    diff: PermissionDiff
    digest: str


class Approvals:
    """Finds and approves releases.

    What is approved is read from the ledger and the artifacts bucket, where only workers write; the receipt beside the
    zip is not asked, since whoever may drop may write there.

    Args:
        ledger: knows what waits and what is live.
        store: S3.
        artifacts: the bucket with templates and approvals.
        queue: takes the message that has the release deployed.
        uploads: the bucket of the zip.
        place: of the pipeline.
    """

    def __init__(
        self, ledger: Ledger, store: ObjectStore, artifacts: str, queue: Queue, uploads: str, place: Place
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._artifacts = artifacts
        self._queue = queue
        self._uploads = uploads
        self._place = place

    def waiting(self, app: App) -> Waiting | None:
        """Return the release of an app that waits for an approval; None if none does."""
        record = self._ledger.record(app)
        release = Release.of(record.failed.release) if record.failed and record.failed.release else None
        if record.failed is None or release is None:
            return None
        template = self._template(release.template_key)
        live = self._template(record.live.template_key) if record.live else None
        before = permissions_of(live, self._place) if live else ()
        diff = compare(permissions_of(template, self._place), before)
        return Waiting(app, record.failed, diff, digest(template))

    def approve(self, waiting: Waiting, by: str, when: datetime) -> None:
        """Record the approval, then announce the upload again: the release is deployed as it was built.

        Args:
            waiting: the release.
            by: the ARN of whoever approves.
            when: the time, in UTC.
        """
        approval = {"by": by, "when": when.isoformat(timespec="seconds"), "permissions": waiting.diff.has}
        key = approval_key(waiting.app, waiting.digest)
        self._store.put(self._artifacts, key, json.dumps(approval, indent=2).encode(), "application/json")
        item = {"key": quote_plus(waiting.upload.key), "versionId": waiting.upload.object_version}
        s3 = {"bucket": {"name": self._uploads}, "object": item}
        body = json.dumps({"Records": [{"eventName": "ObjectCreated:Approved", "s3": s3}]})
        self._queue.send(body, attributes={REDRIVE: uuid.uuid4().hex[:12]})

    def _template(self, key: str) -> Template:
        stored: Template = json.loads(self._store.get(self._artifacts, key))
        return stored
