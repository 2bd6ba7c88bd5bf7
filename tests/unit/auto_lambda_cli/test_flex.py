"""One parameter of a stack changes; all else stays, whoever set it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import Stack
from auto_lambda.keys import App
from auto_lambda_cli.flex import StackBusy, Steering, set_parameter
from auto_lambda_cli.platform_apps import NoStatus

STACK = Stack("al-Flex-shop-dev", "arn:1", "UPDATE_COMPLETE", {}, {}, {"Phase": "both", "Mode": "auto"})


class CloudFormation:
    """Takes an update, or refuses it."""

    def __init__(self, message: str = "") -> None:
        self.message = message
        self.asked: dict[str, Any] = {}

    def update_stack(self, **asked: Any) -> None:
        if self.message:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": self.message}}, "UpdateStack")
        self.asked = asked


def test_all_other_parameters_and_the_template_are_the_previous_ones() -> None:
    client: Any = CloudFormation()
    set_parameter(client, STACK, "Mode", "up")
    assert client.asked["UsePreviousTemplate"] is True
    assert client.asked["Parameters"] == [
        {"ParameterKey": "Phase", "UsePreviousValue": True},
        {"ParameterKey": "Mode", "ParameterValue": "up"},
    ]
    assert not {"RoleARN", "Tags"} & client.asked.keys(), "those of the stack stay"


def test_an_operation_under_way_is_told_from_what_is_wrong() -> None:
    busy: Any = CloudFormation("Stack:arn:1 is in UPDATE_IN_PROGRESS state and can not be updated.")
    with pytest.raises(StackBusy):
        set_parameter(busy, STACK, "Mode", "up")
    wrong: Any = CloudFormation("Parameter 'Mode' must be one of AllowedValues")
    with pytest.raises(ClientError):
        set_parameter(wrong, STACK, "Mode", "sideways")


class Controller:
    """Gives one answer after the other."""

    def __init__(self, *answers: NoStatus | list[dict[str, Any]]) -> None:
        self.answers = list(answers)

    def rows(self) -> list[dict[str, Any]]:
        answer = self.answers.pop(0)
        if isinstance(answer, NoStatus):
            raise answer
        return answer


THERE = [{"app": "shop", "stage": "dev", "phase": "fargate", "mode": "up", "why": "kept", "stuck": False}]


def follow(controller: Controller) -> list[Any]:
    stacks: Any = None
    steering = Steering(stacks, lambda *_: None, controller.rows, sleep=lambda _: None, clock=lambda: 0.0)
    return list(steering.follow(App("dev", "shop"), "up", deadline=60.0))


def test_who_follows_is_patient_with_a_controller_that_cannot_tell_just_now() -> None:
    late = NoStatus("the flex controller answers 502", passing=True)
    assert follow(Controller(late, late, THERE)) == THERE
    with pytest.raises(NoStatus, match="502"):
        follow(Controller(*[late] * 5, THERE))


def test_what_will_not_pass_is_told_at_once() -> None:
    with pytest.raises(NoStatus, match="403"):
        follow(Controller(NoStatus("the flex controller answers 403"), THERE))
