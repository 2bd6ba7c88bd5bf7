"""Finds uploads and deletions that were never announced, by comparing the bucket with the ledger."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from auto_lambda import keys, logs
from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore
from worker.cancellation import Cancelled
from worker.model import Upload
from worker.records.ledger import Ledger

GRACE = timedelta(minutes=10)
"""The announcement of an upload younger than this may still be on its way."""
DUTY = "reconcile"
_RENEWAL = timedelta(seconds=10)

_log = logs.get("reconcile")


class Reconciler:
    """Compares the bucket with the ledger.

    Args:
        store: S3.
        ledger: knows what is live, and what workers have received.
        announce: sends the message that S3 should have sent.
        bucket: of the uploads.
        worker: its name in the ledger.
        announce_removal: the same for a deleted zip; None if deletions need no work.
        now: the time, in UTC.
    """

    def __init__(
        self,
        store: ObjectStore,
        ledger: Ledger,
        announce: Callable[[str, Head], None],
        bucket: str,
        *,
        worker: str,
        announce_removal: Callable[[str], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._announce = announce
        self._bucket = bucket
        self._worker = worker
        self._announce_removal = announce_removal
        self._now = now

    def missed(
        self, grace: timedelta = GRACE, alive: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[str, Head]]:
        """Yield keys whose newest version has no receipt and was never received by a worker, with their head.

        Uploads younger than ``grace`` are left out. ``alive`` is called for each object.
        """
        for listed in self._store.list(self._bucket, keys.PREFIX):
            alive()
            if not listed.key.endswith(keys.SUFFIX) or self._now() - listed.modified < grace:
                continue
            try:
                app = keys.parse(listed.key)
                head = self._store.head(self._bucket, listed.key)
            except (keys.BadKey, ObjectMissing):
                continue
            if not self._ledger.record(app).accounts_for(Upload(app, self._bucket, listed.key, head.version), head):
                yield listed.key, head

    def deleted(self, alive: Callable[[], object] = lambda: None) -> Iterator[str]:
        """Yield keys whose zip is gone while their app is still deployed, found by the receipt that stays."""
        listed = {it.key for it in self._store.list(self._bucket, keys.PREFIX)}
        for receipt in sorted(key for key in listed if key.endswith(keys.RECEIPT_SUFFIX)):
            alive()
            key = keys.upload_key(receipt)
            try:
                app = keys.parse(key)
            except keys.BadKey:
                continue
            if key not in listed and self._ledger.record(app).may_be_in_aws(key):
                yield key

    def run(self, grace: timedelta = GRACE, alive: Callable[[], object] = lambda: None) -> list[str]:
        """Announce what was missed, and return the keys."""
        found = []
        for key, head in self.missed(grace, alive):
            self._announce(key, head)
            found.append(key)
        if self._announce_removal:
            for key in self.deleted(alive):
                self._announce_removal(key)
                found.append(key)
        return found

    def run_if_due(self, hours: float) -> None:
        """Reconcile, unless a worker of the fleet has done so within that time."""
        duty = self._ledger.duty(DUTY, owner=f"{self._worker}/{uuid.uuid4().hex[:12]}", every=hours * 3600)
        if duty is None:
            return
        try:
            announced = self.run(alive=self._throttled(duty.hold.renew))
            for key in announced:
                _log.info("was never announced", key=key)
            _log.info("reconciled", announced=len(announced))
            duty.complete()
        except Cancelled:
            _log.info("took too long: another worker does it")
        finally:
            duty.hold.release()

    def _throttled(self, act: Callable[[], None]) -> Callable[[], None]:
        """Wrap a call so that it is made only once in a while."""
        last = self._now()

        def perhaps() -> None:
            nonlocal last
            if self._now() - last > _RENEWAL:
                act()
                last = self._now()

        return perhaps

    def start(self, hours: float, stop: threading.Event) -> threading.Thread:
        """Reconcile now and every so many hours, in a thread of its own, until ``stop``. Failures are only logged."""

        def run() -> None:
            while not stop.is_set():
                try:
                    self.run_if_due(hours)
                except Exception as error:  # noqa: BLE001 - the next time may succeed
                    _log.warning("not reconciled", error=str(error))
                stop.wait(hours * 3600)

        thread = threading.Thread(target=run, name="reconcile", daemon=True)
        if hours:
            thread.start()
        return thread
