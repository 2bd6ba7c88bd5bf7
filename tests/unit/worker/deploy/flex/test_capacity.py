"""Tasks that could not take what moves to them are refused, or warned about."""

from __future__ import annotations

import math
from inspect import signature
from typing import Any

import pytest
from flex_parts import FLEX, FLEX_TARGET, flexing_bundle
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from auto_lambda_cli.commands.simulate.flex import simulate_flex
from builder.protocol.flex import FARGATE, FlexMessage
from worker.deploy.flex.capacity import overloads, task_processes, tight
from worker.deploy.flex.fitness import require_fit

BY_EVENTS: dict[str, Any] = {
    "measure": "concurrency",
    "above": 20.0,
    "below": 5.0,
    "min_tasks": 2,
    "cpu": 1024,
    "memory": 4096,
}


def settings(**changed: Any) -> FlexMessage:
    return FLEX.model_copy(update=changed)


def test_tasks_that_take_one_request_at_a_time_are_counted() -> None:
    made = flexing_bundle(**BY_EVENTS)
    assert made.flex
    assert task_processes(made, made.flex).number == 4
    with pytest.raises(AppError, match="min_tasks = 2 take 8 at once, 4 each: min_tasks has to be 5") as caught:
        require_fit(made, FLEX_TARGET)
    assert caught.value.code is Code.CANNOT_FLEX
    enough = made.flex.model_copy(update={"min_tasks": 5})
    assert list(overloads(made, enough)) == []
    assert list(overloads(made, enough.model_copy(update={"measure": "requests_per_second"}))) == []


def test_a_request_has_to_get_the_cpu_that_it_needs() -> None:
    said = tight(settings(above=200.0, min_tasks=2, cpu=512))
    assert said
    assert "5 ms of CPU for a request" in said
    assert "min_tasks would have to be 8" in said
    assert tight(settings(above=200.0, min_tasks=8, cpu=512)) is None


@pytest.mark.parametrize("measure", ["concurrency", "monthly_cost"])
def test_other_measures_do_not_tell_how_many_requests_come(measure: str) -> None:
    assert tight(settings(measure=measure)) is None


@given(st.floats(0.1, 1e6), st.integers(1, 500), st.sampled_from(sorted(FARGATE)))
def test_what_the_warning_asks_for_is_enough_and_no_more_than_needed(above: float, tasks: int, cpu: int) -> None:
    asked = settings(above=above, min_tasks=tasks, cpu=cpu)
    needed = math.ceil(above * 0.020 * 1024 / cpu)
    assert (tight(asked) is None) == (tasks * cpu / 1024 >= 0.020 * above)
    assert tight(asked.model_copy(update={"min_tasks": needed + 1})) is None


def test_the_simulator_assumes_the_same_cpu_for_a_request() -> None:
    assert signature(simulate_flex).parameters["busy"].default == 0.02
