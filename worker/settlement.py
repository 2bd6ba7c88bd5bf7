"""Settles an attempt: writes its outcome to the receipt, then to the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from auto_lambda import logs
from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import Delete, Put
from auto_lambda.errors import Code
from auto_lambda.keys import App
from auto_lambda.model import BuildLog
from worker.cancellation import Cancelled
from worker.consumer.daemon import Later, PutOff
from worker.guard import Guard
from worker.model import Deployment, Upload
from worker.outcome import (
    AttemptOutcome,
    Delayed,
    Failed,
    HandedBack,
    Live,
    NotRecorded,
    Shifting,
    Superseded,
    Undeployed,
    outcome_of,
)
from worker.records.event import Event, event_of
from worker.records.journal import JournalEntry
from worker.records.lease import HeldLease
from worker.records.ledger import (
    AppRecord,
    Claim,
    FailedUpload,
    LiveRelease,
    delete_journal,
    delete_live,
    put_failed,
    put_live,
    subject,
)
from worker.records.outbox import Outbox
from worker.records.receipt import Report
from worker.records.retention import put_due
from worker.rollback import rollback_records
from worker.traffic.shift import Shift

_log = logs.get("attempt")

Restore = Callable[[App, str | None, str, BuildLog], Deployment | None]
"""Deploys an earlier release again: app, template key of what may be deployed now, template key to restore, log."""

Standing = Callable[[App], Deployment | None]
"""Says what an app's stack has, None if it has no function."""


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """One attempt at an upload, under its lease: the context in which it is run and settled."""

    claim: Claim
    record: AppRecord
    hold: HeldLease
    attempt: Attempt
    guard: Guard
    report: Report

    @property
    def upload(self) -> Upload:
        """The upload as it was claimed."""
        return self.claim.upload

    @property
    def previous(self) -> str | None:
        """Template key of what is live."""
        return self.record.live.template_key if self.record.live else None

    @property
    def predecessor(self) -> JournalEntry | None:
        """The last journal entry of an earlier worker about the same upload."""
        entry = self.record.entry
        return entry if entry and entry.subject == subject(self.upload) else None

    @property
    def shift(self) -> Shift | None:
        """Where an earlier worker has left the shift of this upload's traffic."""
        return Shift.of(self.predecessor.traffic) if self.predecessor else None

    @property
    def other_shift(self) -> Shift | None:
        """The shift of another upload's traffic, whose place this one takes."""
        entry = self.record.entry
        return Shift.of(entry.traffic) if entry and not self.predecessor else None


class Settlement:
    """Writes the outcomes of attempts.

    Args:
        restore: see there.
        now: the time, in UTC.
        outbox: takes an event for each final receipt; None: nobody is told.
        standing: see there.
    """

    def __init__(
        self,
        restore: Restore,
        now: Callable[[], datetime],
        outbox: Outbox | None = None,
        standing: Standing = lambda _app: None,
    ) -> None:
        self._restore = restore
        self._standing = standing
        self._now = now
        self._outbox = outbox

    def settle(self, work: AttemptContext, outcome: AttemptOutcome) -> None:
        """Write the receipt, then the ledger; raise if the daemon must give the delivery back.

        Killed between the two, the next worker writes the receipt again. In the other order nobody would.
        """
        try:
            self._write(work, outcome)
        except Exception as error:
            if not isinstance(outcome, Live | Undeployed):
                raise
            outcome = outcome_of(error, work.guard.check)
            self._write(work, outcome)
        if isinstance(outcome, HandedBack | Delayed):
            raise outcome.cause
        if isinstance(outcome, Shifting):
            raise Later(str(outcome.cause), outcome.cause.seconds) from outcome.cause

    def _write(self, work: AttemptContext, outcome: AttemptOutcome) -> None:
        match outcome:
            case Live():
                self._write_live(work, outcome)
            case Failed():
                self._write_failed(work, outcome)
            case Superseded():
                work.report.superseded()
                self._finish(work, outcome)
            case Undeployed():
                work.report.undeployed()
                app = work.upload.app
                self._finish(work, outcome, *delete_live(app), put_due(app, self._now()), delete_journal(app))
            case HandedBack():
                self._finish_quietly(work, outcome)
            case Delayed():
                self._write_delayed(work, outcome)
            case Shifting():
                self._write_shifting(work, outcome)

    def _write_live(self, work: AttemptContext, outcome: Live) -> None:
        app, deployment = work.upload.app, outcome.deployment
        work.hold.renew()
        work.report.live(deployment, outcome.previous_version)
        attempt = replace(work.attempt, template_key=deployment.template_key, function_version=deployment.version)
        live = put_live(app, self._live(work.claim, outcome))
        rollbacks = rollback_records(app, outcome.release, outcome.previous_version, self._now())
        due = put_due(app, self._now())
        self._finish(replace(work, attempt=attempt), outcome, live, *rollbacks, due, delete_journal(app))

    def _write_failed(self, work: AttemptContext, outcome: Failed) -> None:
        error, live, upload = outcome.error, work.record.live, work.upload
        _log.info("the uploader can fix it", code=str(error.code), reason=work.report.hidden(error.message))
        restored = outcome.restored or self._restore_interrupted(work)
        if live and restored:
            live = replace(live, function_version=restored.version, url=restored.url)
            work.report.restored(restored)
        if live:
            work.report.say(f"what was live before stays live: {live.function} version {live.function_version}")
        else:
            self._tell_what_stays(work)
        work.hold.renew()
        work.report.failed(error)
        waits = outcome.release.text() if outcome.release else None
        failed = FailedUpload(
            upload.key,
            upload.version,
            upload.sequencer,
            str(error.code),
            self._now().isoformat(),
            upload.redrive,
            waits,
            None if restored else _still_deployed(work),
        )
        # What was deployed in between has published versions, too.
        due = put_due(upload.app, self._now())
        restored_live = (put_live(upload.app, live), due) if live and restored else ()
        writes = (put_failed(upload.app, failed), *restored_live, delete_journal(upload.app))
        self._finish(work, outcome, *writes, code=str(error.code))

    def _tell_what_stays(self, work: AttemptContext) -> None:
        """Report what the stack has though no release has gone live: of this upload, or of one before it."""
        if _still_deployed(work) is None:
            return
        try:
            standing = self._standing(work.upload.app)
        except Exception as error:  # noqa: BLE001 - the failure that the receipt is about matters more
            _log.warning("what the stack has is not known", error=str(error))
            return
        if standing:
            work.report.stays(standing, work.upload.version if work.guard.deployed else None)

    def _restore_interrupted(self, work: AttemptContext) -> Deployment | None:
        """Deploy again what was live before, if a worker died while it was replacing it."""
        live, entry = work.record.live, work.record.entry
        if work.upload.removed or not (live and entry and entry.may_have_replaced(live.template_key)):
            return None
        say = work.report.say
        met = "shifted traffic to" if entry.traffic else "stopped while deploying"
        say(f"{entry.worker} {met} another release: rolling back to what was live")
        work.hold.renew()
        return self._restore(work.upload.app, entry.template_key, live.template_key, say)

    def _write_delayed(self, work: AttemptContext, outcome: Delayed) -> None:
        if not outcome.receipt_written:
            try:
                if isinstance(outcome.cause, PutOff):
                    work.report.put_off(outcome.cause, outcome.cause.seconds)
                else:
                    work.report.delayed(outcome.cause)
            except Exception as second:  # noqa: BLE001 - the first failure is the one that matters
                _log.warning("receipt not written", error=str(second))
        code = Code.THROTTLED if isinstance(outcome.cause, PutOff) else Code.OUR_SIDE
        self._finish_quietly(work, outcome, code=str(code))

    def _write_shifting(self, work: AttemptContext, outcome: Shifting) -> None:
        """Release the app until the next look. Looks that change nothing leave nothing in the history."""
        work.report.goes_on()
        if work.shift and work.guard.traffic == work.shift.text():
            work.hold.finish(work.attempt.delete(work.upload.app, work.hold.fence))
        else:
            self._finish(work, outcome)

    def _finish(
        self, work: AttemptContext, outcome: AttemptOutcome, *writes: Put | Delete, code: str | None = None
    ) -> None:
        report = work.report
        ended = replace(
            work.attempt,
            ended=self._now(),
            outcome=outcome.name,
            step=report.receipt.step,
            code=code,
            timings=report.timings,
        )
        self._record(work, outcome, ended, writes)
        # Metric filters count these lines (docs/reference/metrics.md); a dimension must not be missing.
        _log.info(
            "finished",
            outcome=outcome.name,
            step=ended.step or "none",
            code=code,
            framework=report.receipt.framework,
            since_drop=_seconds(ended.sent, ended.ended),
        )

    def _record(
        self, work: AttemptContext, outcome: AttemptOutcome, ended: Attempt, writes: tuple[Put | Delete, ...]
    ) -> None:
        event = self._event(work, outcome, ended)
        stored = (self._outbox.put(event),) if self._outbox and event else ()
        try:
            work.hold.finish(*writes, *stored, ended.put(work.upload.app, work.hold.fence))
        except Cancelled:
            raise
        except Exception as error:
            raise NotRecorded(f"the ledger did not take the outcome {outcome.name}: {error}") from error
        if self._outbox and event:
            self._outbox.send(event)

    def _event(self, work: AttemptContext, outcome: AttemptOutcome, ended: Attempt) -> Event | None:
        if self._outbox is None or isinstance(outcome, HandedBack | Delayed | Shifting):
            return None
        return event_of(work.report.receipt, work.upload.bucket, outcome.name, ended, work.hold.fence)

    def _finish_quietly(self, work: AttemptContext, outcome: AttemptOutcome, code: str | None = None) -> None:
        """Finish, but only log a failure: the lease expires by itself, and the history shows an unfinished attempt."""
        try:
            self._finish(work, outcome, code=code)
        except Exception as error:  # noqa: BLE001 - another failure is on its way to the daemon
            _log.warning("attempt not finished in the ledger", error=str(error))

    def _live(self, claim: Claim, outcome: Live) -> LiveRelease:
        release, deployment, upload = outcome.release, outcome.deployment, claim.upload
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
            previous_version=outcome.previous_version,
        )


def _still_deployed(work: AttemptContext) -> str | None:
    """Return what the stack may have if nothing was restored: of this attempt, a killed one, or a failed one before."""
    entry, failed = work.record.entry, work.record.failed
    killed = entry.template_key if entry and entry.may_have_replaced(work.previous or "") else None
    return work.guard.deployed or killed or (failed.deployed if failed else None)


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return round((until - since).total_seconds(), 3) if since and until else None
