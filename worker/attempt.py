"""One delivery, from the claim to the final receipts. Here, and only here, failures are sorted into the two kinds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from auto_lambda import logs
from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore
from worker.daemon import Cancel, Cancelled
from worker.errors import AppError, Code
from worker.inbox import Delivery, Misnamed
from worker.ledger import Claim, Failed, Ledger, Live, Record, decide
from worker.model import Upload
from worker.pipeline import Pipeline, Released
from worker.receipt import Receipt, Report

_log = logs.get("attempt")


class Superseded(Exception):
    """A newer version of the object has come while this one was built."""


class Attempts:
    """Works on deliveries.

    An `AppError` ends in a failed receipt and counts as done. Anything else ends in a delayed receipt and is raised, so
    that the daemon gives the delivery back.

    Args:
        pipeline: takes an upload all the way.
        ledger: knows what is live.
        store: has the uploads.
        report: makes the report of a receipt in a bucket.
        worker: this worker's name on receipts.
        now: the time, in UTC.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        ledger: Ledger,
        store: ObjectStore,
        report: Callable[[Receipt, str], Report],
        *,
        worker: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._store = store
        self._report = report
        self._worker = worker
        self._now = now

    def __call__(self, delivery: Delivery, cancel: Cancel) -> None:
        """Work on everything in the delivery; the first failure of ours is raised after the last has been tried."""
        failures: list[Exception] = []
        for misnamed in delivery.letter.misnamed:
            self._refuse(misnamed)
        for upload in delivery.letter.uploads:
            with logs.bound(upload=f"{upload.app}@{(upload.version or upload.sequencer or delivery.id)[:12]}"):
                try:
                    self._upload(upload, delivery, cancel)
                except Cancelled:
                    raise
                except Exception as error:  # noqa: BLE001 - one upload's bad luck must not hold up the others
                    failures.append(error)
        if failures:
            raise failures[0]

    def _upload(self, upload: Upload, delivery: Delivery, cancel: Cancel) -> None:
        cancel.check()
        record = self._ledger.record(upload.app)
        claim = decide(upload, record, self._newest)
        if claim.decision != "go":
            _log.info(claim.decision, key=upload.key)
            return
        waited = round((self._now() - delivery.sent).total_seconds(), 3) if delivery.sent else None
        _log.info("started", key=upload.key, waited=waited)
        with self._report(Receipt.of(claim.upload, self._worker), upload.bucket) as report:
            self._build(claim, record, report, cancel)
            timings = {step: round(seconds, 3) for step, seconds in report.receipt.timings.items()}
            _log.info(report.receipt.status, timings=timings)

    def _build(self, claim: Claim, record: Record, report: Report, cancel: Cancel) -> None:
        try:
            released = self._pipeline.run(
                claim.upload,
                report,
                previous=record.live.template_key if record.live else None,
                before_deploy=lambda: self._still_wanted(claim.upload, cancel),
            )
            cancel.check()
            report.live(released.deployment)
            self._ledger.set_live(claim.upload.app, self._live(claim, released))
        except AppError as error:
            cancel.check()  # its processes were ended under it
            self._failed(claim.upload, record, report, error)
        except Superseded:
            report.superseded()
        except Cancelled:
            raise
        except Exception as error:
            cancel.check()
            self._delayed(report, error)
            raise

    def _failed(self, upload: Upload, record: Record, report: Report, error: AppError) -> None:
        _log.info("the uploader can fix it", code=str(error.code), reason=error.message)
        if record.live:
            report.say(
                f"what was live before stays live: {record.live.function} version {record.live.function_version}"
            )
        report.failed(error)
        failed = Failed(upload.key, upload.version, upload.sequencer, str(error.code), self._now().isoformat())
        self._ledger.set_failed(upload.app, failed)

    def _delayed(self, report: Report, error: Exception) -> None:
        try:
            report.delayed(error)
        except Exception as second:  # noqa: BLE001 - the first failure is the one that matters
            _log.warning("receipt not written", error=str(second))

    def _live(self, claim: Claim, released: Released) -> Live:
        source, deployment, upload = released.source, released.deployment, claim.upload
        return Live(
            key=upload.key,
            object_version=source.upload.version,
            sequencer=upload.sequencer,
            modified=claim.modified,
            sha256=source.sha256,
            framework=source.framework,
            template_key=deployment.template_key,
            function=deployment.function,
            function_version=deployment.version,
            url=deployment.url,
            when=self._now().isoformat(),
        )

    def _newest(self, upload: Upload) -> Head | None:
        try:
            return self._store.head(upload.bucket, upload.key)
        except ObjectMissing:
            return None

    def _still_wanted(self, upload: Upload, cancel: Cancel) -> None:
        cancel.check()
        head = self._newest(upload)
        if head and head.version != upload.version:
            raise Superseded(upload.key)

    def _refuse(self, misnamed: Misnamed) -> None:
        """Tell the uploader of a key that names no app."""
        _log.info("bad key", key=misnamed.key, reason=misnamed.reason)
        receipt = Receipt(
            key=misnamed.key, worker=self._worker, object_version=misnamed.version, size=misnamed.size
        )  # fmt: skip
        with self._report(receipt, misnamed.bucket) as report:
            report.failed(
                AppError(
                    Code.BAD_KEY,
                    f"{misnamed.key} cannot be deployed: {misnamed.reason}.",
                    hint="Upload it again as apps/<name>.zip or apps/<stage>/<name>.zip, and delete this one.",
                )
            )
