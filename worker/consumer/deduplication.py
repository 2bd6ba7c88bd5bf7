"""Finds, among what the queue has given, what needs no work: duplicates, and what a newer zip has taken the place of.

It needs neither a slot nor a lease, and asks the ledger once for all apps of a batch. What is read after a message was
received is as good for that message as what its own slot would have read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from auto_lambda import logs
from auto_lambda.aws.s3 import Head
from auto_lambda.keys import App
from worker.consumer.inbox import Delivery
from worker.model import Upload
from worker.records.ledger import Record, decide

_log = logs.get("sieve")

Newest = Callable[[Upload], Head | None]


class Sieve:
    """Sorts deliveries.

    Args:
        answers: what the ledger says of some apps, in one read.
        newest: asks S3 for the newest version of an upload's object; None when it was deleted.
        undeploys: whether a deleted object means that nothing should be live.
    """

    def __init__(
        self, answers: Callable[[Collection[App]], Mapping[App, Record]], newest: Newest, *, undeploys: bool
    ) -> None:
        self._answers = answers
        self._newest = newest
        self._undeploys = undeploys

    def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that need no work. What ledger and S3 raise is raised."""
        records = self._answers({upload.app for delivery in deliveries for upload in delivery.letter.uploads})
        newest = _once_each(self._newest)
        return [delivery for delivery in deliveries if self._needs_nothing(delivery, records, newest)]

    def _needs_nothing(self, delivery: Delivery, records: Mapping[App, Record], newest: Newest) -> bool:
        if delivery.letter.misnamed:
            return False
        for upload in delivery.letter.uploads:
            record = records[upload.app]
            if upload.removed and not record.deployed_from(upload.key):
                return False  # somebody may work on it, which stands in its lease; that is not read here
            claim = decide(upload, record, newest, undeploys=self._undeploys)
            if claim.decision == "go":
                return False
            _log.info(claim.decision, key=upload.key, version=upload.version, message=delivery.id)
        return True


def _once_each(newest: Newest) -> Newest:
    """Asks once for each object."""
    asked: dict[tuple[str, str], Head | None] = {}

    def ask(upload: Upload) -> Head | None:
        place = (upload.bucket, upload.key)
        if place not in asked:
            asked[place] = newest(upload)
        return asked[place]

    return ask
