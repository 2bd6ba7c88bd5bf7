"""What counts as capacity of a group, and what is said of a group that cannot be seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auto_lambda.aws.autoscaling import AutoScalingGroup, Capacity, GroupUnusable


class Client:
    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self, answer: list[dict[str, Any]] | str) -> None:
        self.answer = answer

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> dict[str, Any]:  # noqa: N803
        if isinstance(self.answer, str):
            raise ClientError({"Error": {"Code": self.answer, "Message": ""}}, "DescribeAutoScalingGroups")
        return {"AutoScalingGroups": self.answer}


def group(answer: list[dict[str, Any]] | str) -> AutoScalingGroup:
    return AutoScalingGroup(Client(answer), "workers")  # type: ignore[arg-type]


def test_machines_that_come_or_go_are_no_capacity() -> None:
    states = [
        "InService", "InService", "Pending", "Pending:Wait", "Pending:Proceed", "Terminating", "Terminating:Wait",
        "Standby", "Detaching", "Warmed:Stopped",
    ]  # fmt: skip
    found = group([{"Instances": [{"LifecycleState": state} for state in states], "DesiredCapacity": 5}])
    assert found.capacity() == Capacity(in_service=2, pending=3, leaving=4, desired=5)


def test_a_group_that_is_not_there_is_told_with_the_region() -> None:
    with pytest.raises(GroupUnusable, match="no Auto Scaling group workers in eu-west-1"):
        group([]).capacity()


def test_a_group_that_may_not_be_seen_is_told() -> None:
    with pytest.raises(GroupUnusable, match="not allowed"):
        group("AccessDenied").capacity()


def test_throttling_is_nothing_to_give_up_for() -> None:
    with pytest.raises(ClientError):
        group("Throttling").capacity()
