"""Checks of the pipeline in AWS. Every check only reads; `finding.asked` handles the exceptions."""

from __future__ import annotations

from auto_lambda.aws.dynamodb import Table
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.sqs import Queue
from auto_lambda.grants import MAX_BYTES, BadGrants, Grants
from auto_lambda.keys import APPROVALS, GRANTS
from worker.deploy.rights.access import check_quotas
from worker.operations.doctor.finding import Finding

_STACK = "Compare the setting with the outputs of the pipeline, or run auto-lambda pipeline upgrade."


def uploads(buckets: ObjectStore, bucket: str) -> Finding:
    """Check the bucket that zips are dropped into."""
    if not buckets.bucket_exists(bucket):
        return Finding("uploads bucket", "broken", f"there is no bucket {bucket}", _STACK)
    if not buckets.versioned(bucket):
        found = f"{bucket} is not versioned: one drop cannot be told from the next"
        return Finding("uploads bucket", "broken", found, "Enable versioning, as the template does.")
    return Finding("uploads bucket", "fine", f"{bucket} is versioned")


def announcements(buckets: ObjectStore, bucket: str, queue: Queue) -> Finding:
    """Check that the bucket announces drops to our queue."""
    arn = queue.wiring().arn
    if not any(event.startswith("s3:ObjectCreated:") for event in buckets.announced(bucket).get(arn, ())):
        return Finding("announcements", "broken", f"{bucket} does not announce drops to {arn}", _STACK)
    return Finding("announcements", "fine", f"{bucket} announces drops to the queue")


def artifacts(buckets: ObjectStore, bucket: str) -> Finding:
    """Check the bucket for artifacts."""
    if not buckets.bucket_exists(bucket):
        return Finding("artifacts bucket", "broken", f"there is no bucket {bucket}", _STACK)
    return Finding("artifacts bucket", "fine", f"{bucket} exists")


def grants(buckets: ObjectStore, bucket: str) -> Finding:
    """Check that every grants file can be read: the apps that a wrong one is for cannot be deployed."""
    keys = [head.key for head in buckets.list(bucket, GRANTS) if APPROVALS not in head.key]
    wrong = [problem for key in keys if (problem := _mistake(buckets, bucket, key))]
    if wrong:
        advice = "Correct them with `auto-lambda grants set`: until then, the apps that they are for are delayed."
        return Finding("grants", "broken", "; ".join(wrong), advice)
    return Finding("grants", "fine", f"{len(keys)} files" if len(keys) != 1 else "1 file")


def _mistake(buckets: ObjectStore, bucket: str, key: str) -> str | None:
    try:
        check_quotas(Grants.read(buckets.get_start(bucket, key, MAX_BYTES + 1)))
    except BadGrants as error:
        return f"{key} cannot be read: {error}"
    return None


def queue(it: Queue) -> Finding:
    """Check that the queue can be read, and has a dead-letter queue."""
    depth, wiring = it.depth(), it.wiring()
    waiting = f"{depth.visible} waiting, {depth.in_flight} in flight, {depth.delayed} delayed"
    if wiring.dead_letters is None:
        advice = "Give it one: a message that crashes workers would come back until it expires."
        return Finding("queue", "warning", f"{waiting}; it has no dead-letter queue", advice)
    return Finding("queue", "fine", waiting)


def dead_letters(it: Queue) -> Finding:
    """Check whether there are dead letters."""
    if count := it.depth().visible:
        return Finding(
            "dead letters", "warning", f"{count} in the dead-letter queue", "To see why: auto-lambda redrive --dry-run"
        )
    return Finding("dead letters", "fine", "none")


def ledger(table: Table, name: str) -> Finding:
    """Check that the table has our keys, and the index that `status --watch` and the checker read."""
    keys, indexes = table.shape()
    if keys != ("pk", "sk"):
        return Finding("ledger", "broken", f"{name} has the keys {', '.join(keys)} instead of pk, sk", _STACK)
    if "recent" not in indexes:
        advice = "Update the pipeline to this version: auto-lambda pipeline upgrade."
        return Finding("ledger", "warning", f"{name} has no index `recent`: builds cannot be watched", advice)
    return Finding("ledger", "fine", f"{name} is a ledger")
