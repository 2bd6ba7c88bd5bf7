"""What is said while a drop is followed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auto_lambda.receipts import Receipt
from auto_lambda_cli.progress.view import with_changes_of_worker

BUILDING = Receipt("apps/shop.zip", "w1", "shop", "dev", "building", "build", "v1")


def test_a_worker_that_takes_over_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = list[Receipt]()
    show = with_changes_of_worker(shown.append)
    states = [BUILDING, replace(BUILDING, step="prove"), replace(BUILDING, worker="w2", step="fetch")]
    for state in (*states, replace(states[-1], status="live")):
        show(state)
    assert capsys.readouterr().err == "worker w1 has given it up or was lost; w2 goes on from the beginning\n"
    assert len(shown) == 4


def test_a_receipt_without_a_worker_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show = with_changes_of_worker(lambda _: None)
    for worker in ("", "w1", "", "w1"):
        show(replace(BUILDING, worker=worker))
    assert capsys.readouterr().err == ""
