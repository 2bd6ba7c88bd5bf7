"""Stands between a build and the world: lets a step begin only while its result is wanted, and keeps the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from auto_lambda import logs
from auto_lambda.aws.dynamodb import Put
from auto_lambda.errors import AppError
from worker.cancellation import Cancelled, CancelToken
from worker.model import Release, Upload
from worker.records.journal import JournalEntry, Phase
from worker.records.lease import HeldLease
from worker.records.ledger import put_journal, subject

_log = logs.get("guard")


class Superseded(Cancelled):
    """A newer version of the object has come while this one was built."""


class SupersedeCheck:
    """Whether an upload is still what should be live. Asked by the heartbeat and between steps, until deploy begins.

    Args:
        overtaken: asks S3.
    """

    def __init__(self, overtaken: Callable[[], bool]) -> None:
        self._overtaken = overtaken
        self._asking = True
        self._superseded = False
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Ask; raises `Superseded`."""
        with self._lock:
            if self._asking and self._overtaken():
                self._superseded = True
        self.check()

    def check(self) -> None:
        """Raise `Superseded` if the last answer was so."""
        if self._superseded:
            raise Superseded("a newer upload has come")

    def commit(self) -> None:
        """Ask for the last time: from here on the work is brought to its end."""
        self.renew()
        with self._lock:
            self._asking = False
        self.check()

    def release(self) -> None:
        """There is nothing to give up."""


class Guard:
    """One attempt's.

    Args:
        upload: what it is about.
        hold: the lease.
        newest: see there.
        cancel: the daemon's wish.
        worker: its name in the journal.
        now: the time, in UTC.
        release: what a predecessor has finished and stored.
        verdict: what a predecessor found wrong with it, once it was deployed.
    """

    def __init__(
        self,
        upload: Upload,
        hold: HeldLease,
        supersede_check: SupersedeCheck,
        cancel: CancelToken,
        *,
        worker: str,
        now: Callable[[], datetime],
        release: Release | None = None,
        verdict: AppError | None = None,
    ) -> None:
        self._upload = upload
        self._hold = hold
        self._supersede_check = supersede_check
        self._cancel = cancel
        self._worker = worker
        self._now = now
        self.release = release
        self.verdict = verdict

    def check(self) -> None:
        """Raise `Cancelled` unless the work is wanted, `Superseded` when that is why; asks nobody."""
        self._supersede_check.check()
        self._cancel.check()

    def before(self, step: str) -> None:
        """Raise `Cancelled` unless the step's result is wanted."""
        self.check()
        if step == "deploy":
            self._supersede_check.commit()
        else:
            self._supersede_check.renew()

    @contextmanager
    def effect(self, step: str) -> Iterator[None]:
        """What happens inside changes something in AWS: it is in the journal before and after.

        Raises:
            Cancelled: nothing was changed; another worker has the lease.
        """
        self.check()
        self._hold.write(self._entry(step, "begun"))
        try:
            yield
        except Cancelled:
            raise
        except Exception as error:
            self._note_failure(step, error)
            raise
        self._hold.write(self._entry(step, "done"))

    def _note_failure(self, step: str, error: Exception) -> None:
        if isinstance(error, AppError):
            self.verdict = error
        try:
            self._hold.write(self._entry(step, "failed"))
        except Exception as second:  # noqa: BLE001 - the first failure is the one that matters
            _log.warning("journal not written", error=str(second))

    def _entry(self, step: str, phase: Phase) -> Put:
        when, release = self._now().isoformat(), self.release
        key, text = (release.template_key, release.text()) if release else (None, None)
        verdict = self.verdict.text() if self.verdict else None
        entry = JournalEntry(subject(self._upload), step, phase, key, self._worker, when, text, verdict)
        return put_journal(self._upload.app, entry)
