"""Marking an instance as unhealthy in its group (moto)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.autoscaling import Member
from auto_lambda.aws.metadata import NoMetadata
from auto_lambda.daemon.unhealthy import main, tell
from auto_lambda_cli.local_stack.imds import imds

REGION = "eu-west-1"


class Machine:
    def __init__(self, instance: str, terminating: bool = False) -> None:
        self._instance = instance
        self._terminating = terminating

    def instance(self) -> str:
        if not self._instance:
            raise NoMetadata
        return self._instance

    def region(self) -> str:
        return REGION

    def terminating(self) -> bool:
        return self._terminating


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        autoscaling = boto3.client("autoscaling", REGION)
        autoscaling.create_launch_configuration(
            LaunchConfigurationName="lc",
            ImageId=boto3.client("ec2", REGION).describe_images()["Images"][0]["ImageId"],
            InstanceType="t3.micro",
        )
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="workers",
            LaunchConfigurationName="lc",
            MinSize=1,
            MaxSize=1,
            AvailabilityZones=[f"{REGION}a"],
        )
        yield autoscaling


@pytest.fixture
def kept_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level


def instance_of(client: Any) -> dict[str, Any]:
    (instance,) = client.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    return dict(instance)


def find(client: Any) -> Any:
    return lambda instance, region: Member.find(client, instance)


def test_the_group_hears_that_the_machine_is_unhealthy(client: Any) -> None:
    before = instance_of(client)
    assert tell("autolambda-worker.service", Machine(before["InstanceId"]), find(client))
    assert (before["HealthStatus"], instance_of(client)["HealthStatus"]) == ("Healthy", "Unhealthy")


@pytest.mark.parametrize("instance", ["", "i-0123456789abcdef0"])
def test_off_ec2_and_outside_a_group_nobody_is_told(client: Any, instance: str) -> None:
    assert not tell("autolambda-worker.service", Machine(instance), find(client))


def test_a_machine_that_must_leave_anyway_is_left_alone(client: Any) -> None:
    instance = instance_of(client)["InstanceId"]
    assert not tell("autolambda-worker.service", Machine(instance, terminating=True), find(client))
    assert instance_of(client)["HealthStatus"] == "Healthy"


@pytest.mark.usefixtures("kept_logging")
def test_by_its_command_with_the_region_from_the_machine_itself(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with imds() as service:
        service.values |= {"instance-id": instance_of(client)["InstanceId"], "placement/region": REGION}
        for name, value in service.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
        assert main(["autolambda-worker.service"]) == 0
    assert instance_of(client)["HealthStatus"] == "Unhealthy"


@pytest.mark.usefixtures("kept_logging")
def test_off_ec2_the_command_says_nothing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert main(["autolambda-worker.service"]) == 0
    assert capfd.readouterr() == ("", "")
