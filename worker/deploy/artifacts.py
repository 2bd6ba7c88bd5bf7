"""Stores the artifacts of a release in the artifacts bucket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.model import BuildLog, Template
from worker.bundle.publish import serialize, template_key
from worker.deploy.at_once import at_once
from worker.model import Artifact

RENEWED = timedelta(days=3)
"""The age at which an artifact is stored anew: `worker.retention.artifacts` deletes old ones that no app needs."""
_SMALL = 1024 * 1024
"""Bytes up to which files are sent side by side. Parts of larger ones take memory, so each of those goes by itself."""


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
    moment, wanted = now or datetime.now(UTC), list(artifacts)
    fresh = at_once(partial(_is_fresh, store, bucket, it.key, moment) for it in wanted)
    missing = []
    for artifact, is_fresh in zip(wanted, fresh, strict=True):
        if is_fresh:
            log(f"{artifact.key} is stored already")
        else:
            missing.append((artifact, artifact.path.stat().st_size))
    for artifact, size in missing:
        if size > _SMALL:
            store.upload(bucket, artifact.key, artifact.path)
    at_once(partial(store.upload, bucket, it.key, it.path) for it, size in missing if size <= _SMALL)
    for artifact, size in missing:
        log(f"{artifact.key} stored, {size:,} bytes")


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
