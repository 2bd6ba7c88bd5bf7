"""How following a drop ends, where the receipt is there already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from auto_lambda import drops
from auto_lambda.keys import App
from auto_lambda.receipts import Cost, Receipt, ReceiptError, StandingCosts
from auto_lambda_cli import outcome
from auto_lambda_cli.outcome import Following, ended

LIVE = Receipt("apps/shop.zip", "w", "shop", "dev", "live", "verify", "v1", function="shop-dev", version="3")
COSTS = StandingCosts("us-east-1, 2026-11", (Cost("Web", "provisioned_concurrency", 5.4751, "1 x 512 MB"),))


@pytest.mark.parametrize(("costs", "told"), [(None, False), (COSTS, True)])
def test_what_an_idle_app_costs_is_said_when_it_is_live(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], costs: StandingCosts | None, told: bool
) -> None:
    monkeypatch.setattr(outcome, "_followed", lambda *_: replace(LIVE, costs=costs))
    drop = drops.Drop(App("dev", "shop"), "drops", "apps/shop.zip", "v1", None, 7)
    assert ended(cast(Any, None), drop, 0.0, Following(wait=True, timeout=1, as_json=False)) == 0
    line = "$5.48 a month while idle, at prices of us-east-1, 2026-11: provisioned_concurrency of Web $5.48"
    assert (f"costs: {line}" in capsys.readouterr().err.replace("\n", " ")) is told


@pytest.mark.parametrize(("count", "heading"), [(2, "the function logged:"), (99, "the last 30 lines of 99")])
def test_what_a_failing_function_logged_is_shown_with_its_indentation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], count: int, heading: str
) -> None:
    lines = (*(f"line {number}" for number in range(count - 1)), '  File "app.py", line 7, in index')
    error = ReceiptError("unhealthy", "Deployed, but it was answered 500", "Mend it.")
    monkeypatch.setattr(
        outcome, "_followed", lambda *_: replace(LIVE, status="failed", error=error, function_log=lines)
    )
    drop = drops.Drop(App("dev", "shop"), "drops", "apps/shop.zip", "v1", None, 7)
    assert ended(cast(Any, None), drop, 0.0, Following(wait=True, timeout=1, as_json=False)) == 1
    told = capsys.readouterr().err.splitlines()
    assert any(heading in line for line in told)
    assert told.index('    File "app.py", line 7, in index') < told.index("Mend it.")
    assert len(told) < 40
