from __future__ import annotations

from typing import Any

import pytest

from auto_lambda.keys import App
from builder.protocol.traffic import TrafficMessage
from worker.bundle.release import traffic

PLAN = TrafficMessage(kind="linear", percent=20, interval=60, stages=["prod", "qa"])


def template(plan: TrafficMessage | None) -> dict[str, Any]:
    return {"Metadata": {"AutoLambda": {"Traffic": plan.model_dump()} if plan else {}}, "Resources": {}}


@pytest.mark.parametrize(("stage", "there"), [("prod", True), ("qa", True), ("dev", False)])
def test_traffic_shifts_in_the_stages_that_are_named(stage: str, there: bool) -> None:
    assert traffic(App(stage, "shop"), template(PLAN)) == (PLAN if there else None)


def test_it_shifts_in_all_stages_if_none_is_named_and_nowhere_without_a_plan() -> None:
    everywhere = PLAN.model_copy(update={"stages": []})
    assert traffic(App("dev", "shop"), template(everywhere)) == everywhere
    assert traffic(App("dev", "shop"), template(None)) is None
