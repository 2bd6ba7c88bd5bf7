"""Stores the artifacts of a release in the artifacts bucket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.model import BuildLog, Template
from worker.bundle.publish import serialize, template_key
from worker.model import Artifact

RENEWED = timedelta(days=3)
"""The age at which an artifact is stored anew: `worker.retention.artifacts` deletes old ones that no app needs."""


def store_artifacts(
    store: ObjectStore, bucket: str, artifacts: Iterable[Artifact], log: BuildLog, now: datetime | None = None
) -> None:
    """Store those that are not there, and those that are old: they may be on their way out.

    Args:
        store: S3.
        bucket: of the artifacts.
        artifacts: the files.
        log: takes progress.
        now: the time, in UTC.
    """
    for artifact in artifacts:
        if _is_fresh(store, bucket, artifact.key, now or datetime.now(UTC)):
            log(f"{artifact.key} is stored already")
        else:
            store.upload(bucket, artifact.key, artifact.path)
            log(f"{artifact.key} stored, {artifact.path.stat().st_size:,} bytes")


def store_template(store: ObjectStore, bucket: str, template: Template, log: BuildLog) -> str:
    """Store a template that is made while a release is deployed, as artifacts are, and return its key."""
    data = serialize(template)
    key = template_key(data)
    if _is_fresh(store, bucket, key, datetime.now(UTC)):
        log(f"{key} is stored already")
    else:
        store.put(bucket, key, data, "application/json")
        log(f"{key} stored, {len(data):,} bytes")
    return key


def _is_fresh(store: ObjectStore, bucket: str, key: str, now: datetime) -> bool:
    try:
        return now - store.head(bucket, key).modified < RENEWED
    except ObjectMissing:
        return False
