"""One delivery, from the claim to the final receipts. Here, and only here, failures are sorted into the two kinds."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from auto_lambda import keys, logs
from auto_lambda.aws.dynamodb import Delete, Put
from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore
from auto_lambda.errors import AppError, Code
from worker.cancellation import Cancelled, CancelToken
from worker.consumer.daemon import Busy
from worker.consumer.inbox import Delivery, InvalidKey
from worker.errors import RolledBack, restored_by
from worker.guard import Guard, SupersedeCheck, Superseded
from worker.model import Upload
from worker.pipeline import Pipeline, Released, Remove, Restore
from worker.records.journal import Attempt, JournalEntry, Outcome
from worker.records.lease import HeldLease
from worker.records.ledger import (
    AppRecord,
    Claim,
    FailedUpload,
    Ledger,
    LiveRelease,
    decide,
    delete_journal,
    delete_live,
    put_failed,
    put_live,
    subject,
)
from worker.records.receipt import Receipt, Report, Serving
from worker.rollback import UNKNOWN, rollback_records, rollback_release, rollback_target

MAX_CRASHES = 3
"""How many worker processes an upload may take down before nobody touches it any more."""

_log = logs.get("attempt")

SendToDeadLetters = Callable[[Delivery, str, str], None]
"""Puts a copy of a delivery aside for a person, with a code and a reason."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One upload in hand, with its lease."""

    claim: Claim
    record: AppRecord
    hold: HeldLease
    attempt: Attempt

    @property
    def predecessor(self) -> JournalEntry | None:
        """How far a predecessor has come with the same upload."""
        entry = self.record.entry
        return entry if entry and entry.subject == subject(self.claim.upload) else None


class _NotNoted(Exception):
    """The receipt is final, but the ledger may not know.

    If it does, nobody will write the receipt again, so it must stay; if it does not, the next attempt does all again.
    """


class DeliveryHandler:
    """Works on deliveries.

    An `AppError` ends in a failed receipt and counts as done. Anything else ends in a delayed receipt and is raised, so
    that the daemon gives the delivery back.

    Args:
        pipeline: takes an upload all the way.
        ledger: knows what is live, and who may work.
        store: has the uploads.
        report: makes the report of a receipt in a bucket.
        worker: this worker's name on receipts.
        bury: see there.
        restore: see there.
        remove: takes an app out of AWS when its zip is deleted; None to leave it there.
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
        dead_letter: SendToDeadLetters,
        restore: Restore,
        remove: Remove | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._store = store
        self._report = report
        self._worker = worker
        self._dead_letter = dead_letter
        self._restore = restore
        self._remove = remove
        self._now = now

    def handle(self, delivery: Delivery, cancel: CancelToken) -> None:
        """Work on everything in the delivery; the first failure of ours is raised after the last has been tried.

        Raises:
            Busy: nothing failed, but an app is in other hands.
            Cancelled: the work is not wanted any more.
        """
        failures: list[Exception] = []
        busy: list[Busy] = []
        for invalid_key in delivery.parsed.invalid_keys:
            self._refuse(invalid_key)
        for upload in delivery.parsed.uploads:
            with logs.bound(upload=f"{upload.app}@{(upload.version or upload.sequencer or delivery.id)[:12]}"):
                try:
                    self._handle_upload(upload, delivery, cancel)
                except Cancelled:
                    raise
                except Busy as error:
                    busy.append(error)
                except Exception as error:  # noqa: BLE001 - one upload's bad luck must not hold up the others
                    failures.append(error)
        if failures or busy:
            raise [*failures, *busy][0]

    def _handle_upload(self, upload: Upload, delivery: Delivery, cancel: CancelToken) -> None:
        cancel.check()
        record = self._ledger.record(upload.app)
        claim = decide(upload, record, self.newest, undeploys=self._remove is not None)
        if claim.decision != "go":
            _log.info(claim.decision, key=upload.key, version=upload.version)
            return
        upload = claim.upload
        attempt = Attempt(
            upload.key,
            upload.version,
            self._worker,
            delivery.attempts,
            self._now().isoformat(),
            delivery.sent.isoformat() if delivery.sent else None,
            rollback=upload.rollback,
        )
        hold = self._ledger.claim(attempt, upload, record, owner=f"{self._worker}/{uuid.uuid4().hex[:12]}")
        if hold is None:
            raise Busy(str(upload.app))
        try:
            with cancel.holding(hold):
                self._work_under_lease(_Work(claim, record, hold, attempt), delivery, cancel)
        finally:
            hold.release()

    def _work_under_lease(self, work: _Work, delivery: Delivery, cancel: CancelToken) -> None:
        upload = work.claim.upload
        waited = round((self._now() - delivery.sent).total_seconds(), 3) if delivery.sent else None
        _log.info("started", key=upload.key, waited=waited, fence=work.hold.fence)
        newest = SupersedeCheck(lambda: self._overtaken(upload))
        predecessor = work.predecessor if not upload.removed else None
        stored, verdict = (predecessor.finished_release, predecessor.known_failure) if predecessor else (None, None)
        guard = Guard(
            upload, work.hold, newest, cancel, worker=self._worker, now=self._now, release=stored, verdict=verdict
        )
        receipt = replace(Receipt.of(upload, self._worker), serving=_serving(work.record.live))
        with self._report(receipt, upload.bucket) as report:
            if work.hold.crashes >= MAX_CRASHES:
                self._quarantine(work, report, delivery)
                return
            with cancel.holding(newest):
                self._build(work, report, guard)
            timings = {step: round(seconds, 3) for step, seconds in report.receipt.timings.items()}
            _log.info(report.receipt.status, timings=timings)

    def _build(self, work: _Work, report: Report, guard: Guard) -> None:
        """Every way in which an attempt ends, but that of a worker that is killed."""
        try:
            self._run(work, report, guard)
        except Exception as error:
            cause = _cause(error, guard)
            if isinstance(cause, Superseded):
                report.superseded()
                self._finish(work, report, "superseded")
            elif isinstance(cause, Cancelled):
                self._finish_quietly(work, report, "handed back")
                raise cause from error
            elif isinstance(cause, AppError):
                self._failed(work, report, cause)
            elif isinstance(cause, _NotNoted):
                self._finish_quietly(work, report, "delayed", code=str(Code.OUR_SIDE))
                raise
            else:
                self._delayed(work, report, error)
                raise

    def _run(self, work: _Work, report: Report, guard: Guard) -> None:
        upload, live = work.claim.upload, work.record.live
        previous = live.template_key if live else None
        if entry := work.predecessor:
            if guard.release:
                report.follow(self._log(upload))
            report.say(f"{entry.worker} was here before, and came to: {entry.step} {entry.phase}")
        if upload.removed:
            self._undeploy(work, previous, report, guard)
            return
        earlier = self._ledger.past_release(upload.app, upload.rollback) if upload.rollback else None
        again = rollback_release(upload, earlier)
        if upload.rollback and not again:
            report.warn(UNKNOWN.format(version=upload.rollback))
        released = self._pipeline.run(upload, report, previous=previous, guard=guard, again=again)
        guard.check()
        work.hold.renew()
        previous_version = rollback_target(upload, released.deployment.template_key, live, earlier)
        report.live(released.deployment, previous_version)
        self._went_live(work, report, released, previous_version)

    def _went_live(self, work: _Work, report: Report, released: Released, previous_version: str | None) -> None:
        app, deployment, release = work.claim.upload.app, released.deployment, released.release
        attempt = replace(work.attempt, template_key=deployment.template_key, function_version=deployment.version)
        live = put_live(app, self._live(work.claim, released, previous_version))
        self._finish(
            replace(work, attempt=attempt),
            report,
            "live",
            live,
            *rollback_records(app, release, previous_version),
            delete_journal(app),
        )

    def _undeploy(self, work: _Work, previous: str | None, report: Report, guard: Guard) -> None:
        assert self._remove is not None  # noqa: S101 - without it no removal is handed on
        upload = work.claim.upload
        guard.before("deploy")
        report.say(f"{upload.key} was deleted: the app is taken out of AWS")
        self._remove(upload.app, previous, report.say, guard.effect)
        report.undeployed()
        self._finish(work, report, "undeployed", *delete_live(upload.app), delete_journal(upload.app))

    def _failed(self, work: _Work, report: Report, error: AppError) -> None:
        _log.info("the uploader can fix it", code=str(error.code), reason=error.message)
        live, upload = work.record.live, work.claim.upload
        error = self._settled(work, report, error)
        restored = restored_by(error)
        if live and restored:
            live = replace(live, function_version=restored.version, url=restored.url)
            report.restored(restored)
        if live:
            report.say(f"what was live before stays live: {live.function} version {live.function_version}")
        work.hold.renew()
        report.failed(error)
        failed = FailedUpload(
            upload.key, upload.version, upload.sequencer, str(error.code), self._now().isoformat(), upload.redrive
        )
        rollback_records = (put_live(upload.app, live),) if live and restored else ()
        writes = (put_failed(upload.app, failed), *rollback_records, delete_journal(upload.app))
        self._finish(work, report, "failed", *writes, code=str(error.code))

    def _settled(self, work: _Work, report: Report, error: AppError) -> AppError:
        """What was live before is live again, if somebody died in the middle of replacing it."""
        live, entry = work.record.live, work.record.entry
        if (
            restored_by(error)
            or work.claim.upload.removed
            or not (live and entry and entry.may_have_replaced(live.template_key))
        ):
            return error
        report.say(f"{entry.worker} left off in the middle of deploying another release: going back to what was live")
        work.hold.renew()
        restored = self._restore(work.claim.upload.app, entry.template_key, live.template_key, report.say)
        return RolledBack(error, restored) if restored else error

    def _quarantine(self, work: _Work, report: Report, delivery: Delivery) -> None:
        """Nobody touches the zip: the uploader is told, and the message put aside, before the ledger says so."""
        reason = f"it has ended {work.hold.crashes} worker processes"
        error = AppError(
            Code.ENDS_WORKERS,
            f"{work.claim.upload.key} is not touched any more: {reason} that tried to build it.",
            hint="Drop a zip without whatever makes it special, or ask who runs the pipeline: the message lies in the "
            "dead-letter queue, and `auto-lambda redrive` has it tried again.",
        )
        self._dead_letter(delivery, str(error.code), reason)
        self._failed(work, report, error)

    def _delayed(self, work: _Work, report: Report, error: Exception) -> None:
        try:
            report.delayed(error)
        except Exception as second:  # noqa: BLE001 - the first failure is the one that matters
            _log.warning("receipt not written", error=str(second))
        self._finish_quietly(work, report, "delayed", code=str(Code.OUR_SIDE))

    def _finish(
        self,
        work: _Work,
        report: Report,
        outcome: Outcome,
        *writes: Put | Delete,
        code: str | None = None,
    ) -> None:
        ended = replace(
            work.attempt,
            ended=self._now().isoformat(),
            outcome=outcome,
            step=report.receipt.step,
            code=code,
            timings=report.timings,
        )
        try:
            work.hold.finish(*writes, ended.put(work.claim.upload.app, work.hold.fence))
        except Cancelled:
            raise
        except Exception as error:
            raise _NotNoted(f"the ledger did not take the outcome {outcome}: {error}") from error
        # Metric filters count these lines (docs/reference/metrics.md); a dimension must not be missing.
        _log.info(
            "finished",
            outcome=outcome,
            step=ended.step or "none",
            code=code,
            framework=report.receipt.framework,
            since_drop=_seconds(ended.sent, ended.ended),
        )

    def _finish_quietly(self, work: _Work, report: Report, outcome: Outcome, code: str | None = None) -> None:
        """Nothing depends on it: the lease runs out by itself, and the history shows an attempt that was cut short."""
        try:
            self._finish(work, report, outcome, code=code)
        except Exception as error:  # noqa: BLE001 - another failure is on its way to the daemon
            _log.warning("attempt not finished in the ledger", error=str(error))

    def _live(self, claim: Claim, released: Released, previous_version: str | None) -> LiveRelease:
        release, deployment, upload = released.release, released.deployment, claim.upload
        return LiveRelease(
            key=upload.key,
            object_version=release.object_version,
            sequencer=upload.sequencer,
            modified=claim.modified,
            sha256=release.sha256,
            framework=release.framework,
            template_key=deployment.template_key,
            function=deployment.function,
            function_version=deployment.version,
            url=deployment.url,
            when=self._now().isoformat(),
            previous_version=previous_version,
        )

    def newest(self, upload: Upload) -> Head | None:
        """What S3 says of the newest version of an upload's object; None when it was deleted."""
        try:
            return self._store.head(upload.bucket, upload.key)
        except ObjectMissing:
            return None

    def _log(self, upload: Upload) -> str:
        try:
            return self._store.get(upload.bucket, keys.log_key(upload.key)).decode(errors="replace")
        except ObjectMissing:
            return ""

    def _overtaken(self, upload: Upload) -> bool:
        head = self.newest(upload)
        if upload.removed:
            return head is not None
        if head is None:
            return self._remove is not None
        return head.version != upload.version

    def _refuse(self, invalid_key: InvalidKey) -> None:
        """Tell the uploader of a key that names no app."""
        _log.info("bad key", key=invalid_key.key, reason=invalid_key.reason)
        receipt = Receipt(
            key=invalid_key.key, worker=self._worker, object_version=invalid_key.version, size=invalid_key.size
        )  # fmt: skip
        with self._report(receipt, invalid_key.bucket) as report:
            report.failed(
                AppError(
                    Code.BAD_KEY,
                    f"{invalid_key.key} cannot be deployed: {invalid_key.reason}.",
                    hint="Upload it again as apps/<name>.zip or apps/<stage>/<name>.zip, and delete this one.",
                )
            )


def _cause(error: Exception, guard: Guard) -> Exception:
    """What really ended the work: its processes are ended when it is cancelled, which looks like any failure."""
    try:
        guard.check()
    except Cancelled as reason:
        return reason
    return error


def _serving(live: LiveRelease | None) -> Serving | None:
    if live is None:
        return None
    return Serving(live.url, live.function, live.function_version, live.object_version, live.previous_version)


def _seconds(since: str | None, until: str | None) -> float | None:
    if since is None or until is None:
        return None
    return round((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds(), 3)
