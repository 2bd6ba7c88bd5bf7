"""The outcomes of an attempt at an upload, one frozen dataclass each. `Settlement` writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from auto_lambda.attempts import OutcomeName
from auto_lambda.errors import AppError
from worker.cancellation import Cancelled, NewerUpload
from worker.model import Deployment, Release
from worker.traffic.shift import ShiftGoesOn


@dataclass(frozen=True, slots=True)
class Live:
    """The release is deployed and answers. ``previous_version`` is the zip version that a rollback leads to."""

    name: ClassVar[OutcomeName] = "live"
    release: Release
    deployment: Deployment
    previous_version: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The uploader has something to fix.

    ``restored`` is the earlier release, if it was deployed again; ``release`` the one that waits for an approval.
    """

    name: ClassVar[OutcomeName] = "failed"
    error: AppError
    restored: Deployment | None = None
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer version of the object takes the place of this one."""

    name: ClassVar[OutcomeName] = "superseded"


@dataclass(frozen=True, slots=True)
class Undeployed:
    """The zip was deleted, and the app with it."""

    name: ClassVar[OutcomeName] = "undeployed"


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The work was cancelled: another worker has the delivery, or will get it."""

    name: ClassVar[OutcomeName] = "handed back"
    cause: Cancelled


@dataclass(frozen=True, slots=True)
class Delayed:
    """Our side failed; the delivery is tried again. ``receipt_written``: the receipt is final and must stay."""

    name: ClassVar[OutcomeName] = "delayed"
    cause: Exception
    receipt_written: bool = False


@dataclass(frozen=True, slots=True)
class Shifting:
    """The traffic shifts to the release. Until the next look, nobody works on it."""

    name: ClassVar[OutcomeName] = "shifting"
    cause: ShiftGoesOn


AttemptOutcome = Live | Failed | Superseded | Undeployed | HandedBack | Delayed | Shifting


class NotRecorded(Exception):
    """The receipt is final, but the ledger may not have the outcome.

    If it has, nobody will write the receipt again, so the receipt must stay. If it has not, the next attempt repeats
    everything.
    """


def outcome_of(error: Exception, check: Callable[[], None]) -> AttemptOutcome:
    """Sort a failure into the outcomes.

    Args:
        error: what ended the work.
        check: raises `Cancelled` if the work is not wanted any more. That is then the real cause: when work is
            cancelled its processes are killed, which may look like any failure.
    """
    cause = error
    try:
        check()
    except Cancelled as cancelled:
        cancelled.__cause__ = error
        cause = cancelled
    match cause:
        case NewerUpload():
            return Superseded()
        case Cancelled():
            return HandedBack(cause)
        case AppError():
            return Failed(cause)
        case ShiftGoesOn():
            return Shifting(cause)
    return Delayed(cause, receipt_written=isinstance(cause, NotRecorded))


def outcome_of_run(run: Callable[[], AttemptOutcome], check: Callable[[], None]) -> AttemptOutcome:
    """Run work and return its outcome; the outcome of work that was cancelled meanwhile does not count.

    Args:
        run: the work; whatever it raises becomes its outcome.
        check: as for `outcome_of`.
    """
    try:
        outcome = run()
        check()
    except Exception as error:  # noqa: BLE001 - every failure is an outcome
        return outcome_of(error, check)
    return outcome
