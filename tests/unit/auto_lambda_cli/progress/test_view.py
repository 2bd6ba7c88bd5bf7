"""What is said while a drop is followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from auto_lambda.receipts import Receipt
from auto_lambda_cli.progress.view import DropLines, MovingLine, following

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BUILDING = Receipt("apps/shop.zip", "w1", "shop", "dev", "building", "build", "v1")
HELD = replace(BUILDING, updated=NOON, held_until=NOON + timedelta(seconds=130))


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed, without the seconds before it."""
    return [line.partition(" s  ")[2] or line for line in capsys.readouterr().err.splitlines()]


def test_a_worker_that_takes_over_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    view = DropLines()
    states = [BUILDING, replace(BUILDING, step="prove"), replace(BUILDING, worker="w2", step="fetch")]
    for state in (*states, replace(states[-1], status="live")):
        view.show(state)
    assert lines(capsys) == [
        "building: build",
        "building: prove",
        "worker w1 has given it up or was lost; w2 goes on from the beginning",
        "building: fetch",
        "live",
    ]


def test_a_receipt_without_a_worker_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    view = DropLines()
    for worker in ("", "w1", "", "w1"):
        view.show(replace(BUILDING, worker=worker))
    assert lines(capsys) == ["building: build"]


QUIET = "no news from w1 for 31 s; if it was lost, another one takes over soon after 12:02:10 UTC"
LOST = "w1 was lost, and no other one has taken over for 61 s: all are busy, or none runs"


def test_silence_of_a_worker_is_told_once_and_again_when_nobody_takes_over(capsys: pytest.CaptureFixture[str]) -> None:
    view = DropLines()
    view.show(HELD)
    for seconds in (0.1, 29, 31, 45, 130, 189, 191, 300):
        view.silent(HELD, seconds)
    assert lines(capsys) == ["building: build", QUIET, LOST]


def test_a_worker_that_writes_again_may_fall_silent_again(capsys: pytest.CaptureFixture[str]) -> None:
    view = DropLines()
    for _ in range(2):
        view.show(HELD)
        view.silent(HELD, 31)
    assert lines(capsys) == ["building: build", QUIET, QUIET]


@pytest.mark.parametrize(
    "receipt", [BUILDING, replace(HELD, held_until=None), replace(HELD, status="live"), replace(HELD, updated=None)]
)
def test_where_nobody_promised_to_write_silence_means_nothing(
    capsys: pytest.CaptureFixture[str], receipt: Receipt
) -> None:
    view = DropLines()
    view.silent(receipt, 10_000)
    assert lines(capsys) == []


def test_a_drop_that_no_worker_takes_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    view = DropLines()
    for seconds in (5, 21, 60, 600):
        view.silent(None, seconds)
    assert lines(capsys) == ["no worker has taken it for 21 s: all are busy, or none runs"]


def test_on_a_terminal_the_line_says_it_behind_the_state() -> None:
    shown = list[str]()
    view = MovingLine(shown.append)
    view.show(HELD)
    for seconds in (5, 31):
        view.silent(HELD, seconds)
    assert shown == ["building: build", f"building: build; {QUIET}"]


def test_without_a_terminal_lines_are_printed() -> None:
    with following() as view:
        assert isinstance(view, DropLines)
