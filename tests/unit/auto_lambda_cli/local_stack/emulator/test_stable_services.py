from __future__ import annotations

from types import SimpleNamespace

import pytest

from auto_lambda_cli.local_stack.emulator.stable_services import (
    NotStable,
    counted,
    expected,
    keep_within,
    runs_our_task,
    wait_until_stable,
)
from auto_lambda_cli.local_stack.fargate.plan import FargateService, told

SERVICE = {"desiredCount": 2, "taskDefinition": "arn:aws:ecs:us-east-1:1:task-definition/shop:3"}
DONE = expected(SERVICE)


def test_it_waits_until_the_fake_fargate_is_where_the_service_should_be() -> None:
    states = iter(["", "stable 1 shop:2", "moving 1 of 2 shop:3", DONE])
    wait_until_stable(lambda: next(states), DONE)
    assert next(states, None) is None


def test_a_revision_that_failed_ends_it_with_the_reason() -> None:
    with pytest.raises(NotStable, match="3 tasks ended"):
        wait_until_stable(lambda: "failed shop:3 3 tasks ended", DONE)


def test_another_revisions_failure_does_not() -> None:
    states = iter(["failed shop:2 3 tasks ended", DONE])
    wait_until_stable(lambda: next(states), DONE)


def test_it_does_not_wait_for_ever_nor_where_nobody_tells_anything() -> None:
    with pytest.raises(NotStable):
        wait_until_stable(lambda: "moving 0 of 2 shop:3", DONE, patience=0)
    wait_until_stable(lambda: "", DONE, agent=0)


def test_what_the_fake_fargate_tells_is_what_is_waited_for() -> None:
    service = FargateService("arn", str(SERVICE["taskDefinition"]), 0)
    assert told(service, [], 0) == expected({**SERVICE, "desiredCount": 0})
    with pytest.raises(NotStable, match="3 tasks"):
        wait_until_stable(lambda: told(service, [], 3), expected({**SERVICE, "desiredCount": 0}))


def test_only_tasks_with_the_entrypoint_are_waited_for() -> None:
    def definition(name: str) -> SimpleNamespace:
        container = {"environment": [{"name": name, "value": "{}"}]}
        return SimpleNamespace(_task_defs={"shop:3": {"containerDefinitions": [container]}})

    assert runs_our_task(definition("AUTO_LAMBDA_TASK"), str(SERVICE["taskDefinition"]))
    assert not runs_our_task(definition("OTHER"), str(SERVICE["taskDefinition"]))
    assert not runs_our_task(definition("OTHER"), "missing")


def test_a_count_given_as_text_is_a_number() -> None:
    assert counted({"DesiredCount": "3", "Cluster": "shop"}) == {"DesiredCount": 3, "Cluster": "shop"}
    assert counted({"Cluster": "shop"}) == {"Cluster": "shop"}


def test_a_scalable_target_raises_and_lowers_a_service_to_its_bounds() -> None:
    service = {"desiredCount": 1}

    def update(data: dict[str, object]) -> None:
        assert (data["cluster"], data["service"]) == ("shop", "web")
        service["desiredCount"] = int(str(data["desiredCount"]))

    ecs = SimpleNamespace(_services={"shop/web": service}, _update_service=update)
    for least, most, count in ((2, 5, 2), (1, 5, 2), (1, 1, 1)):
        keep_within(ecs, {"ResourceId": "service/shop/web", "MinCapacity": least, "MaxCapacity": most})
        assert service["desiredCount"] == count
    keep_within(ecs, {"PolicyName": "cpu"})
