"""Finds received messages that need no work: duplicates, and uploads that a newer zip has replaced.

This needs neither a slot nor a lease, and reads the ledger once for all apps of a batch. A read that follows the
receipt of a message is as good for that message as the read that its own slot would have made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from auto_lambda import logs
from auto_lambda.aws.s3 import Head
from auto_lambda.keys import App
from worker.consumer.inbox import Delivery
from worker.model import Upload
from worker.records.ledger import AppRecord, decide

_log = logs.get("deduplication")

FindNewest = Callable[[Upload], Head | None]


class Deduplicator:
    """Sorts out deliveries that need no work.

    Args:
        answers: reads what the ledger says of some apps, in one call.
        newest: asks S3 for the newest version of an upload's object; None when it was deleted.
        undeploys: whether a deleted object means that nothing should be live.
    """

    def __init__(
        self, answers: Callable[[Collection[App]], Mapping[App, AppRecord]], newest: FindNewest, *, undeploys: bool
    ) -> None:
        self._answers = answers
        self._newest = newest
        self._undeploys = undeploys

    def deduplicate(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Return those that need no work. Raises what the ledger and S3 raise."""
        records = self._answers({upload.app for delivery in deliveries for upload in delivery.parsed.uploads})
        newest = _once_each(self._newest)
        return [delivery for delivery in deliveries if self._is_redundant(delivery, records, newest)]

    def _is_redundant(self, delivery: Delivery, records: Mapping[App, AppRecord], newest: FindNewest) -> bool:
        if delivery.parsed.invalid_keys:
            return False
        for upload in delivery.parsed.uploads:
            record = records[upload.app]
            if upload.removed and not record.deployed_from(upload.key):
                return False  # somebody may be working on it, which only the lease shows; that is not read here
            claim = decide(upload, record, newest, undeploys=self._undeploys)
            if claim.decision == "go":
                return False
            _log.info(claim.decision, key=upload.key, version=upload.version, message=delivery.id)
        return True


def _once_each(newest: FindNewest) -> FindNewest:
    """Wrap a question to S3 so that it is asked once for each object."""
    asked: dict[tuple[str, str], Head | None] = {}

    def ask(upload: Upload) -> Head | None:
        place = (upload.bucket, upload.key)
        if place not in asked:
            asked[place] = newest(upload)
        return asked[place]

    return ask
