"""What a guard lets begin, and what it writes into the journal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from attempt_world import APP_ERROR, RELEASE, SHOP, upload
from tables import FakeTable

from auto_lambda.attempts import Attempt
from auto_lambda.errors import AppError, Code
from worker.cancellation import Cancelled, CancelToken, NewerUpload
from worker.guard import Guard, SignOfLife, SupersedeCheck
from worker.records.lease import SKEW
from worker.records.ledger import AppRecord, Ledger

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
UNHEALTHY = AppError(Code.UNHEALTHY, "502", hint="mend it")


class Guarded:
    """A guard with its lease; ``overtaken`` is what S3 would say."""

    def __init__(self) -> None:
        self.table, self.overtaken, self.asked = FakeTable(), False, 0
        self.seconds = 0.0
        ledger = Ledger(self.table, seconds=60, now=lambda: 1e9 + self.seconds, clock=lambda: self.seconds)
        hold = ledger.claim(Attempt("k", "v1", "w", 1, NOON), upload(), AppRecord(), owner="w/1")
        assert hold
        self.hold, self.token, self.ledger = hold, CancelToken(), ledger
        check = SupersedeCheck(self._ask, start=lambda work: work())
        self.guard = Guard(upload(), hold, check, self.token, worker="w", now=lambda: NOON)

    def _ask(self) -> bool:
        self.asked += 1
        return self.overtaken

    @property
    def journal(self) -> list[tuple[Any, ...]]:
        """Step, phase and failure of each entry, in order."""
        entries = [item for item in self.table.writes if item["sk"] == "journal"]
        return [
            (it["step"], it["phase"], AppError.of(str(it["verdict"])) if "verdict" in it else None) for it in entries
        ]


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def test_a_newer_upload_ends_the_work_until_the_deploy_has_begun(guarded: Guarded) -> None:
    guarded.guard.before_step("build")
    guarded.guard.before_step("deploy")
    guarded.overtaken = True
    guarded.guard.before_step("verify")
    guarded.guard.check()
    assert guarded.asked == 2, "nobody is asked any more"


@pytest.mark.parametrize("step", ["build", "deploy"])
def test_no_step_begins_once_a_newer_upload_is_there(guarded: Guarded, step: str) -> None:
    guarded.overtaken = True
    with pytest.raises(NewerUpload):
        guarded.guard.before_step(step)
    with pytest.raises(NewerUpload):
        guarded.guard.check()


def test_no_step_of_a_build_waits_for_s3_and_the_next_one_knows_what_it_said() -> None:
    waiting: list[Callable[[], None]] = []
    check = SupersedeCheck(lambda: True, start=waiting.append)
    check.ask()
    check.check()
    waiting.pop()()
    with pytest.raises(NewerUpload):
        check.check()


def test_a_deploy_begins_only_once_s3_has_been_asked() -> None:
    check = SupersedeCheck(lambda: True, start=lambda _: None)
    check.ask()
    with pytest.raises(NewerUpload):
        check.commit()


def test_s3_may_fail_to_answer_until_the_deploy() -> None:
    def fails() -> bool:
        raise OSError("no S3")

    check = SupersedeCheck(fails, start=lambda work: work())
    check.ask()
    check.check()
    with pytest.raises(OSError, match="no S3"):
        check.commit()


def test_no_step_begins_of_cancelled_work(guarded: Guarded) -> None:
    guarded.token.cancel("the worker is stopping")
    with pytest.raises(Cancelled, match="stopping"):
        guarded.guard.before_step("build")
    assert guarded.asked == 0


def test_a_change_is_in_the_journal_before_and_after_with_its_release(guarded: Guarded) -> None:
    with guarded.guard.effect_of(RELEASE)("stack"):
        assert guarded.journal == [("stack", "begun", None)]
    assert guarded.journal[1:] == [("stack", "done", None)]
    entry = guarded.ledger.record(SHOP).entry
    assert entry
    assert (entry.template_key, entry.finished_release) == (RELEASE.template_key, RELEASE)


def test_the_failure_of_a_change_goes_into_all_later_entries(guarded: Guarded) -> None:
    effect = guarded.guard.effect_of(RELEASE, APP_ERROR)
    with pytest.raises(AppError), effect("verify"):
        raise UNHEALTHY
    with effect("going back"):
        pass
    told = [(step, phase, failure.code if failure else None) for step, phase, failure in guarded.journal]
    assert told == [
        ("verify", "begun", APP_ERROR.code), ("verify", "failed", UNHEALTHY.code),
        ("going back", "begun", UNHEALTHY.code), ("going back", "done", UNHEALTHY.code),
    ]  # fmt: skip


def test_a_failure_of_ours_leaves_no_verdict_on_the_release(guarded: Guarded) -> None:
    with pytest.raises(OSError, match="throttled"), guarded.guard.effect_of(RELEASE)("stack"):
        raise OSError("throttled")
    assert guarded.journal == [("stack", "begun", None), ("stack", "failed", None)]


def test_nothing_is_changed_without_the_lease(guarded: Guarded) -> None:
    guarded.seconds = 75.0
    assert guarded.ledger.claim(Attempt("k", "v1", "x", 1, NOON), upload(), guarded.ledger.record(SHOP), owner="other")
    changed: list[str] = []
    with pytest.raises(Cancelled), guarded.guard.effect_of(RELEASE)("stack"):
        changed.append("stack")
    assert (changed, guarded.journal) == ([], [])


def test_a_heartbeat_tells_until_when_the_lease_that_it_renewed_is_held(guarded: Guarded) -> None:
    told: list[float] = []
    with guarded.token.holding(guarded.hold), guarded.token.holding(SignOfLife(guarded.hold, told.append)):
        for guarded.seconds in (0, 20):
            guarded.token.beat()
    assert told == [1e9 + 60 + SKEW, 1e9 + 20 + 60 + SKEW]


def test_a_worker_that_has_lost_its_lease_shows_no_sign_of_life(guarded: Guarded) -> None:
    told: list[float] = []
    with guarded.token.holding(guarded.hold), guarded.token.holding(SignOfLife(guarded.hold, told.append)):
        guarded.seconds = 61
        guarded.token.beat()
    assert told == []
