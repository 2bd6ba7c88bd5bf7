"""Guards an attempt: a step starts only while its result is wanted, and the journal records every change in AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from auto_lambda import logs
from auto_lambda.aws.dynamodb import Put
from auto_lambda.errors import AppError
from worker.cancellation import Cancelled, CancelToken, NewerUpload
from worker.model import Release, Upload
from worker.records.journal import JournalEntry, Phase
from worker.records.lease import HeldLease
from worker.records.ledger import put_journal, subject

_log = logs.get("guard")

_CHANGES = frozenset({"expand", "switch", "front"})
"""Steps by which the stack or its aliases get something of a release."""

Effect = Callable[[str], AbstractContextManager[None]]
"""Makes the context of a change in AWS, by its step. If it raises, the change is not made."""


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="ask", daemon=True).start()


class SupersedeCheck:
    """Checks whether an upload is still the newest: at each heartbeat and with each step, until the deploy starts.

    Args:
        overtaken: asks S3 whether something newer has come.
        start: runs what nobody waits for; by default in a thread of its own.
    """

    def __init__(
        self, overtaken: Callable[[], bool], start: Callable[[Callable[[], None]], None] = _in_a_thread
    ) -> None:
        self._overtaken = overtaken
        self._start = start
        self._committed = False
        self._superseded = False
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Ask S3; raises `NewerUpload`."""
        with self._lock:
            if not self._committed and self._overtaken():
                self._superseded = True
        self.check()

    def ask(self) -> None:
        """Ask S3, and let later checks know the answer: no step waits for it, and `commit` asks again."""
        if not self._committed and not self._lock.locked():
            self._start(self._ask)

    def _ask(self) -> None:
        try:
            self.renew()
        except NewerUpload:
            pass  # checks raise it
        except Exception as error:  # noqa: BLE001 - the heartbeat and `commit` ask, too
            _log.warning("not asked whether something newer has come", error=str(error))

    def check(self) -> None:
        """Raise `NewerUpload` if that was the last answer."""
        if self._superseded:
            raise NewerUpload("a newer upload has come")

    def commit(self) -> None:
        """Ask for the last time. From here on the work is finished, whatever comes."""
        self.renew()
        with self._lock:
            self._committed = True
        self.check()

    def release(self) -> None:
        """Do nothing: there is nothing to give up."""


class SignOfLife:
    """Shows whoever waits, at each heartbeat, that the upload is worked on, and until when it is this worker's.

    Args:
        hold: the lease.
        told: takes when others may claim it, in seconds since 1970.
    """

    def __init__(self, hold: HeldLease, told: Callable[[float], None]) -> None:
        self._hold = hold
        self._told = told

    def renew(self) -> None:
        """Tell it. The lease has been renewed before."""
        self._told(self._hold.free_at)

    def check(self) -> None:
        """Do nothing: the lease itself is checked."""

    def release(self) -> None:
        """Do nothing, as `check`."""


class Guard:
    """Guards one attempt.

    Args:
        upload: to work on.
        hold: the lease.
        supersede_check: of the upload.
        cancel_token: the daemon's.
        worker: its name in the journal.
        now: the time, in UTC.

    Attributes:
        deployed: template key of the release that the stack may have got by this attempt.
        traffic: where the shift of its traffic is, for the journal; None without one.
    """

    def __init__(
        self,
        upload: Upload,
        hold: HeldLease,
        supersede_check: SupersedeCheck,
        cancel_token: CancelToken,
        *,
        worker: str,
        now: Callable[[], datetime],
    ) -> None:
        self._upload = upload
        self._hold = hold
        self._supersede_check = supersede_check
        self._cancel_token = cancel_token
        self._worker = worker
        self._now = now
        self.deployed: str | None = None
        self.traffic: str | None = None

    def check(self) -> None:
        """Raise `Cancelled` unless the work is wanted, `NewerUpload` if that is the reason. Makes no call."""
        self._supersede_check.check()
        self._cancel_token.check()

    def before_step(self, step: str) -> None:
        """Raise `Cancelled` unless the result of the step is wanted, as far as S3 has told so far; ``deploy`` waits."""
        self.check()
        if step == "deploy":
            self._supersede_check.commit()
        else:
            self._supersede_check.ask()
            self.check()

    def effect_of(self, release: Release | None, known_failure: AppError | None = None) -> Effect:
        """Return what puts each change in AWS into the journal, before and after.

        A change raises `Cancelled`, and is not made, if another worker has the lease.

        Args:
            release: what is deployed; a successor goes on with it.
            known_failure: how the release is known to have failed; the failure of a change replaces it.
        """

        @contextmanager
        def effect(step: str) -> Iterator[None]:
            nonlocal known_failure
            self.check()
            self._hold.write(self._entry(step, "begun", release, known_failure))
            if step in _CHANGES and release:
                self.deployed = release.template_key
            try:
                yield
            except Cancelled:
                raise
            except Exception as error:
                known_failure = error if isinstance(error, AppError) else known_failure
                self._note_failure(self._entry(step, "failed", release, known_failure))
                raise
            self._hold.write(self._entry(step, "done", release, known_failure))

        return effect

    def _note_failure(self, entry: Put) -> None:
        try:
            self._hold.write(entry)
        except Exception as second:  # noqa: BLE001 - the first failure is the one that matters
            _log.warning("journal not written", error=str(second))

    def _entry(self, step: str, phase: Phase, release: Release | None, failure: AppError | None) -> Put:
        key, text = (release.template_key, release.text()) if release else (None, None)
        entry = JournalEntry(
            subject(self._upload), step, phase, key, self._worker, self._now().isoformat(), text,
            failure.text() if failure else None, self.traffic,
        )  # fmt: skip
        return put_journal(self._upload.app, entry)
