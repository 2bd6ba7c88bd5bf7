"""Handles one delivery, from the claim to the final receipts."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from auto_lambda import keys, logs
from auto_lambda.attempts import Attempt
from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.receipts import Receipt, Serving
from worker.cancellation import Cancelled, CancelToken
from worker.consumer.backoff import BackOff, when_throttled
from worker.consumer.daemon import Busy, Later, PutOff
from worker.consumer.inbox import Delivery
from worker.consumer.messages import InvalidKey
from worker.consumer.misnamed import nearest
from worker.deploy.context import DeployContext
from worker.deploy.deployer import Deployer
from worker.guard import Guard, SignOfLife, SupersedeCheck
from worker.model import Upload
from worker.outcome import AttemptOutcome, Delayed, Failed, Live, Undeployed, outcome_of
from worker.pipeline import Pipeline, Task
from worker.records.event import refusal_of
from worker.records.lease import HeldLease
from worker.records.ledger import AppRecord, Claim, Ledger, LiveRelease, decide
from worker.records.outbox import Outbox
from worker.records.receipt import Report, receipt_of
from worker.rollback import rollback_release, rollback_target, why_unknown
from worker.settlement import AttemptContext, Settlement
from worker.throttling import is_throttled

MAX_CRASHES = 3
"""Number of worker processes that an upload may crash before it is not processed any more."""

LONGEST_THROTTLED = timedelta(days=1)
"""Age from which an upload that AWS throttles counts as tried: it must end some day."""

_log = logs.get("attempt")

SendToDeadLetters = Callable[[Delivery, str, str], None]
"""Sends a copy of a delivery to the dead-letter queue, with a code and a reason."""


class DeliveryHandler:
    """Works on deliveries.

    An `AppError` ends in a failed receipt and counts as done. Any other exception ends in a delayed receipt and is
    raised, so that the daemon gives the delivery back.

    Args:
        pipeline: takes an upload all the way.
        ledger: knows what is live, and hands out leases.
        store: has the uploads.
        report: makes the report of a receipt in a bucket.
        deployer: removes apps, and restores earlier releases.
        dead_letter: see there.
        worker: this worker's name on receipts.
        undeploys: whether an app is removed from AWS when its zip is deleted.
        outbox: takes an event for each final receipt; None: nobody is told.
        throttled: how long work waits that AWS throttles.
        changed: is told of each app whose outcome is written. Must return at once.
        now: the time, in UTC.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        ledger: Ledger,
        store: ObjectStore,
        report: Callable[[Receipt, str], Report],
        deployer: Deployer,
        dead_letter: SendToDeadLetters,
        *,
        worker: str,
        undeploys: bool = False,
        outbox: Outbox | None = None,
        throttled: BackOff = when_throttled(),  # noqa: B008 - a frozen value
        changed: Callable[[App], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._store = store
        self._report = report
        self._deployer = deployer
        self._dead_letter = dead_letter
        self._worker = worker
        self._undeploys = undeploys
        self._settlement = Settlement(deployer.restore, now, outbox, standing=deployer.standing)
        self._outbox = outbox
        self._throttled = throttled
        self._changed = changed
        self._now = now

    def handle(self, delivery: Delivery, cancel_token: CancelToken) -> None:
        """Work on everything in the delivery; raise the first failure of our side after the last upload was tried.

        Raises:
            Busy: nothing failed, but another worker has an app.
            Later: nothing failed, and the work goes on later.
            PutOff: nothing failed, but AWS throttles the work.
            Cancelled: the work is not wanted any more.
        """
        failures: list[Exception] = []
        later: list[Busy | Later | PutOff] = []
        for invalid_key in delivery.parsed.invalid_keys:
            self._refuse(invalid_key, delivery)
        for upload in delivery.parsed.uploads:
            with logs.bound(upload=f"{upload.app}@{(upload.version or upload.sequencer or delivery.id)[:12]}"):
                try:
                    self._handle_upload(upload, delivery, cancel_token)
                except Cancelled:
                    raise
                except (Busy, Later, PutOff) as error:
                    later.append(error)
                except Exception as error:  # noqa: BLE001 - one failing upload must not hold up the others
                    failures.append(error)
        if failures or later:
            raise [*failures, *later][0]

    def _handle_upload(self, upload: Upload, delivery: Delivery, cancel_token: CancelToken) -> None:
        cancel_token.check()
        record = self._ledger.record(upload.app)
        claim = decide(upload, record, self.newest, undeploys=self._undeploys)
        if claim.decision != "go":
            _log.info(claim.decision, key=upload.key, version=upload.version)
            return
        upload = claim.upload
        if upload.by is None:  # announced by ourselves: S3's event was lost, or is not the reason
            upload = replace(upload, by=self._ledger.dropper(upload))
            claim = replace(claim, upload=upload)
        attempt = Attempt(
            upload.key,
            upload.version,
            self._worker,
            delivery.attempts,
            self._now(),
            delivery.sent,
            rollback=upload.rollback,
            by=upload.by,
        )
        hold = self._ledger.claim(attempt, upload, record, owner=f"{self._worker}/{uuid.uuid4().hex[:12]}")
        if hold is None:
            raise Busy(str(upload.app))
        try:
            with cancel_token.holding(hold):
                self._work_under_lease(claim, record, hold, attempt, delivery, cancel_token)
        finally:
            hold.release()

    def _work_under_lease(
        self,
        claim: Claim,
        record: AppRecord,
        hold: HeldLease,
        attempt: Attempt,
        delivery: Delivery,
        cancel_token: CancelToken,
    ) -> None:
        upload = claim.upload
        waited = round((self._now() - delivery.sent).total_seconds(), 3) if delivery.sent else None
        _log.info("started", key=upload.key, waited=waited, fence=hold.fence, by=str(upload.by) if upload.by else None)
        supersede_check = SupersedeCheck(lambda: self._overtaken(upload))
        guard = Guard(upload, hold, supersede_check, cancel_token, worker=self._worker, now=self._now)
        held_until = datetime.fromtimestamp(hold.free_at, UTC)
        receipt = replace(_beside_live(receipt_of(upload, self._worker), record.live), held_until=held_until)
        with self._report(receipt, upload.bucket) as report:
            work = AttemptContext(claim, record, hold, attempt, guard, report)
            if hold.crashes >= MAX_CRASHES:
                self._settlement.settle(work, self._quarantine(work, delivery))
                return
            with cancel_token.holding(SignOfLife(hold, report.held)), cancel_token.holding(supersede_check):
                self._settlement.settle(work, self._put_off(self._run(work), delivery))
            self._changed(upload.app)
            timings = {step: round(seconds, 3) for step, seconds in report.receipt.timings.items()}
            _log.info(report.receipt.status, timings=timings)

    # -- the work

    def _run(self, work: AttemptContext) -> AttemptOutcome:
        try:
            if (shift := work.other_shift) and not work.upload.at_once:
                self._deployer.end_shift(shift, work.report.say)
                self._supersede_under_other_key(work)
            return self._undeploy(work) if work.upload.removed else self._build(work)
        except Exception as error:  # noqa: BLE001 - every failure is an outcome
            return outcome_of(error, work.guard.check)

    def _supersede_under_other_key(self, work: AttemptContext) -> None:
        """Write the last receipt of the upload whose shift was ended, unless ours takes its place."""
        entry = work.record.entry
        if entry is None or entry.key == work.upload.key:
            return
        ended = Upload(work.upload.app, work.upload.bucket, entry.key, entry.version)
        with self._report(_beside_live(receipt_of(ended, self._worker), work.record.live), ended.bucket) as report:
            report.superseded()

    def _put_off(self, outcome: AttemptOutcome, delivery: Delivery) -> AttemptOutcome:
        """Let what AWS throttled wait without counting it; a queue's five attempts would be over within the hour."""
        if not isinstance(outcome, Delayed) or not is_throttled(outcome.cause):
            return outcome
        if delivery.sent and self._now() - delivery.sent > LONGEST_THROTTLED:
            return outcome
        return replace(outcome, cause=PutOff(outcome.cause, self._throttled.delay(delivery.put_offs + 1)))

    def _build(self, work: AttemptContext) -> AttemptOutcome:
        entry, upload = work.predecessor, work.upload
        resumed = entry.finished_release if entry else work.record.waiting_release(upload)
        if resumed:
            work.report.follow(self._log(upload))
        if not work.shift:
            self._tell_of_predecessor(work)
        past = self._ledger.past_release(upload.app, upload.rollback) if upload.rollback else None
        rollback = rollback_release(upload, past)
        if upload.rollback and not rollback:
            work.report.warn(why_unknown(upload.rollback, past))
        known_failure = entry.known_failure if entry else None
        wanted = upload.promotion
        promoted = self._ledger.past_release(wanted.app, wanted.version) if wanted else None
        task = Task(
            upload, work.report, work.guard, work.previous, resumed, known_failure, work.shift, rollback, promoted
        )
        outcome = self._pipeline.run(task)
        if isinstance(outcome, Live):
            target = rollback_target(upload, outcome.deployment.template_key, work.record.live, past)
            return replace(outcome, previous_version=target)
        return outcome

    def _tell_of_predecessor(self, work: AttemptContext) -> None:
        if entry := work.predecessor:
            work.report.say(f"{entry.worker} worked on this before, and got as far as: {entry.step} {entry.phase}")

    def _undeploy(self, work: AttemptContext) -> Undeployed:
        upload, log = work.upload, work.report.say
        self._tell_of_predecessor(work)
        work.guard.before_step("deploy")
        log(f"{upload.key} was deleted: the app is removed from AWS")
        self._deployer.remove(upload.app, work.previous, DeployContext(log, effect=work.guard.effect_of(None)))
        return Undeployed()

    def _quarantine(self, work: AttemptContext, delivery: Delivery) -> Failed:
        """Refuse to touch the zip. The message is in the dead-letter queue before receipt and ledger say so."""
        reason = f"it has crashed {work.hold.crashes} worker processes"
        error = AppError(
            Code.ENDS_WORKERS,
            f"{work.upload.key} is not processed any more: {reason} that tried to build it.",
            hint="Drop a zip that does not do this, or ask whoever runs the pipeline: the message is in the "
            "dead-letter queue, and `auto-lambda redrive` retries it.",
        )
        self._dead_letter(delivery, str(error.code), reason)
        return Failed(error)

    # -- what lies in the bucket

    def newest(self, upload: Upload) -> Head | None:
        """Ask S3 for the newest version of an upload's object; None when it was deleted."""
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
            return self._undeploys
        return head.version != upload.version

    def _refuse(self, invalid_key: InvalidKey, delivery: Delivery) -> None:
        """Write a failed receipt for a key that names no app."""
        _log.info("bad key", key=invalid_key.key, reason=invalid_key.reason)
        receipt = Receipt(
            key=invalid_key.key, worker=self._worker, object_version=invalid_key.version, size=invalid_key.size
        )  # fmt: skip
        with self._report(receipt, invalid_key.bucket) as report:
            report.failed(
                AppError(
                    Code.BAD_KEY,
                    f"{invalid_key.key} cannot be deployed: {invalid_key.reason}.",
                    hint=_how_to_name(invalid_key.key),
                )
            )
        if self._outbox:
            self._outbox.publish(refusal_of(report.receipt, invalid_key.bucket, delivery.id, self._now()))


def _how_to_name(key: str) -> str:
    better = nearest(key)
    if better == key:
        return "Upload it again as apps/<name>.zip or apps/<stage>/<name>.zip, and delete this one."
    again = "Upload it again" if key.lower().endswith(keys.SUFFIX) else "Put the app's folder into a zip, upload that"
    return f"{again} as {better} (apps/<name>.zip or apps/<stage>/<name>.zip), and delete this one."


def _beside_live(receipt: Receipt, live: LiveRelease | None) -> Receipt:
    """Return a receipt that says what is live while its upload is not."""
    if live is None:
        return receipt
    serving = Serving(live.url, live.function, live.function_version, live.object_version, live.previous_version)
    return replace(receipt, serving=serving, url=live.url, function=live.function)
