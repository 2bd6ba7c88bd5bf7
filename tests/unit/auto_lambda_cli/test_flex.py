"""One parameter of a stack changes; all else stays, whoever set it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import Stack
from auto_lambda_cli.flex import StackBusy, set_parameter

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
