"""Tasks are stopped one by one where ECS cannot replace them by itself, and never too many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ecs_updater.chalicelib.model import MIN, Service
from ecs_updater.chalicelib.replacing import Task, is_stuck, next_stop
from ecs_world import NOON, arn_of, rollout, service
from hypothesis import given
from hypothesis import strategies as st

NO_PLACE = "(service web) was unable to place a task because no container instance met all of its requirements."


def rolling(**more: Any) -> Service:
    given: dict[str, Any] = {
        "desired": 3,
        "deployments": (rollout("shop:2"), rollout("shop:1", status="ACTIVE")),
        **more,
    }
    return service("web", "shop:2", "acme/shop:x", **given)


def tasks(old: int, new: int, status: str = "RUNNING") -> list[Task]:
    def one(revision: str, number: int) -> Task:
        return Task(f"{revision}/{number}", arn_of(revision), status, NOON + timedelta(minutes=-number))

    return [one("shop:1", number) for number in range(old)] + [one("shop:2", number) for number in range(new)]


FULL = rolling(events=((NOON, NO_PLACE),), tags={MIN: "2"})


def test_a_rollout_with_room_is_ecs_own_business() -> None:
    assert not is_stuck(rolling())
    assert not is_stuck(rolling(minimum_percent=50, maximum_percent=100))
    assert not is_stuck(rolling(deployments=(rollout("shop:2", "COMPLETED"),)))


def test_a_rollout_without_room_is_stuck() -> None:
    assert is_stuck(FULL)
    assert is_stuck(rolling(minimum_percent=100, maximum_percent=100))
    assert not is_stuck(rolling(events=((NOON - timedelta(hours=1), NO_PLACE),))), "that was an earlier deployment"
    started = (NOON + timedelta(minutes=1), "(service web) has started 1 tasks: (task 1).")
    fargate = "(service web) was unable to place a task. Reason: Capacity is unavailable at this time."
    assert not is_stuck(rolling(events=((NOON, fargate),))), "stopping a task makes no room there"
    assert not is_stuck(rolling(events=(started, (NOON, NO_PLACE)))), "it goes on"


@pytest.mark.parametrize(
    "kind", [{"controller": "EXTERNAL"}, {"controller": "CODE_DEPLOY"}, {"strategy": "LINEAR"}, {"daemon": True}]
)
def test_what_is_not_rolling_is_never_stuck(kind: dict[str, Any]) -> None:
    assert not is_stuck(rolling(events=((NOON, NO_PLACE),), **kind))


def test_the_oldest_old_task_is_stopped_and_only_one() -> None:
    stop = next_stop(FULL, tasks(3, 0))
    assert stop.task
    assert stop.task.arn == "shop:1/2"


def test_a_task_that_has_asked_not_to_be_stopped_is_left() -> None:
    first, second, oldest = tasks(3, 0)
    stop = next_stop(FULL, [first, second, replace(oldest, protected=True)])
    assert stop.task == second
    busy = next_stop(FULL, [replace(task, protected=True) for task in tasks(3, 0)])
    assert (busy.task, "protected" in busy.why) == (None, True)


def test_while_its_place_is_empty_nothing_more_is_stopped() -> None:
    stop = next_stop(FULL, tasks(2, 0))
    assert (stop.task, "at least 2 of 3" in stop.why) == (None, True)
    waiting = next_stop(rolling(events=((NOON, NO_PLACE),), tags={MIN: "1"}), tasks(2, 0))
    assert (waiting.task, "waiting for the place" in waiting.why) == (None, True)


def test_without_a_word_of_the_owner_what_ecs_must_keep_is_kept() -> None:
    stop = next_stop(rolling(events=((NOON, NO_PLACE),)), tasks(3, 0))
    assert (stop.task, "at least 3 of 3" in stop.why) == (None, True)


def test_at_the_end_there_is_nothing_to_stop() -> None:
    assert next_stop(FULL, tasks(0, 3)).task is None


@given(st.integers(0, 4), st.integers(1, 6), st.integers(0, 6))
def test_stopping_one_by_one_replaces_all_and_never_falls_below_the_minimum(
    fewest: int, desired: int, slots: int
) -> None:
    """A cluster with as many slots as the service wants tasks; a new task starts wherever one is free."""
    one = rolling(desired=desired, events=((NOON, NO_PLACE),), tags={MIN: str(fewest)})
    here = tasks(desired, 0)
    for _ in range(4 * desired):
        stop = next_stop(one, here)
        if stop.task:
            here.remove(stop.task)
            assert len(here) >= fewest
            assert len(here) == desired - 1, "never more than one at a time"
        elif len(here) < desired:
            here.append(Task(f"new/{len(here)}/{slots}", arn_of("shop:2"), "RUNNING", NOON))
    replaced = all(task.definition == arn_of("shop:2") for task in here)
    assert replaced == (fewest < desired)
