"""How failures are sorted into outcomes."""

from __future__ import annotations

import pytest

from auto_lambda.errors import AppError, Code
from worker.cancellation import Cancelled, NewerUpload
from worker.outcome import (
    AttemptOutcome,
    Delayed,
    Failed,
    HandedBack,
    NotRecorded,
    Superseded,
    Undeployed,
    outcome_of,
    outcome_of_run,
)

APP_ERROR = AppError(Code.NO_FRAMEWORK, "no app", hint="add one")
DISK_FULL, NOT_RECORDED, CANCELLED = OSError("disk full"), NotRecorded("no answer"), Cancelled("the lease has expired")


def wanted() -> None:
    """The work is."""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (APP_ERROR, Failed(APP_ERROR)),
        (DISK_FULL, Delayed(DISK_FULL)),
        (NOT_RECORDED, Delayed(NOT_RECORDED, receipt_written=True)),
        (CANCELLED, HandedBack(CANCELLED)),
        (NewerUpload("a newer upload has come"), Superseded()),
    ],
)
def test_each_failure_has_its_outcome(error: Exception, outcome: AttemptOutcome) -> None:
    assert outcome_of(error, wanted) == outcome


@pytest.mark.parametrize("error", [APP_ERROR, DISK_FULL, NOT_RECORDED])
def test_of_cancelled_work_the_cancellation_is_the_cause(error: Exception) -> None:
    def check() -> None:
        raise CANCELLED

    outcome = outcome_of(error, check)
    assert outcome == HandedBack(CANCELLED)
    assert outcome.cause.__cause__ is error


def test_what_work_came_to_counts_only_if_it_was_not_cancelled_meanwhile() -> None:
    def check() -> None:
        raise NewerUpload("a newer upload has come")

    assert outcome_of_run(Undeployed, wanted) == Undeployed()
    assert outcome_of_run(Undeployed, check) == Superseded()
