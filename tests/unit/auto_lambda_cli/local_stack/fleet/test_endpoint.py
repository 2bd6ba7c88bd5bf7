"""The double as boto3 sees it, before an emulator that knows a group but no machines."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from another_user import another_user
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from auto_lambda.aws.autoscaling import AutoScalingGroup, Capacity, Member
from auto_lambda_cli.local_stack.fleet import group as fleet_group
from auto_lambda_cli.local_stack.fleet.endpoint import endpoint
from auto_lambda_cli.local_stack.fleet.rules import Rules

NAME = "workers"


class Computer:
    """Ready at once."""

    def boot(self) -> None: ...
    def is_ready(self) -> bool:
        return True

    def ended(self) -> int | None:
        return None

    def last_words(self) -> str:
        return ""

    def ask_to_stop(self) -> None: ...
    def end(self) -> None: ...


def client(url: str, secret: str = "test") -> Any:
    return boto3.client(
        "autoscaling", "us-east-1", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key=secret
    )


@pytest.fixture
def embedded() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    real = client(url)
    real.create_launch_configuration(LaunchConfigurationName="l", ImageId="ami-12c6146b", InstanceType="t3.small")
    for name, size in ((NAME, 0), ("checker", 1)):
        real.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchConfigurationName="l", MinSize=size, MaxSize=3,
            DesiredCapacity=size, AvailabilityZones=["us-east-1a"],
        )  # fmt: skip
    real.put_lifecycle_hook(
        AutoScalingGroupName=NAME, LifecycleHookName="leave",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    )  # fmt: skip
    yield url
    server.stop()


@pytest.fixture
def group() -> fleet_group.LocalGroup:
    rules = Rules(NAME, smallest=1, largest=3, warmup=30, hook=("leave", 300), tracking=(), steps=())
    made = fleet_group.LocalGroup(rules, lambda _: Computer(), boot=0, say=lambda _: None)
    made.set_desired(2, "a test")
    for _ in range(3):
        made.tick()
    return made


@pytest.fixture
def double(group: fleet_group.LocalGroup, embedded: str) -> Iterator[Any]:
    with endpoint(group, embedded, "a secret") as url:
        yield client(url)


def test_the_group_has_the_doubles_machines_and_other_groups_their_own(double: Any) -> None:
    assert AutoScalingGroup(double, NAME).capacity() == Capacity(in_service=2, pending=0, leaving=0, desired=2)
    assert AutoScalingGroup(double, "checker").capacity() == Capacity(in_service=1, pending=0, leaving=0, desired=1)


def test_a_machine_finds_itself_protects_itself_and_leaves_in_order(double: Any, group: fleet_group.LocalGroup) -> None:
    first, second = group.machines()
    member = Member.find(double, first.id)
    assert member
    assert Member.find(double, "i-0123456789abcdef0") is None
    member.protect(True)
    (seen,) = double.describe_auto_scaling_instances(InstanceIds=[first.id])["AutoScalingInstances"]
    assert (seen["ProtectedFromScaleIn"], seen["LifecycleState"]) == (True, "InService")
    member.leave()
    assert AutoScalingGroup(double, NAME).capacity() == Capacity(in_service=1, pending=0, leaving=1, desired=1)
    member.still_here()
    member.ready_to_go()
    group.tick()
    assert [machine.state for machine in group.machines()] == ["Terminating:Proceed", "InService"]
    with pytest.raises(ClientError, match=r"ValidationError.*equals minSize"):
        Member(double, NAME, second.id).leave()


def test_a_person_may_set_the_desired_count_and_others_groups_are_not_touched(
    double: Any, group: fleet_group.LocalGroup
) -> None:
    double.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=3)
    double.set_desired_capacity(AutoScalingGroupName="checker", DesiredCapacity=2)
    assert group.desired == 3
    assert AutoScalingGroup(double, "checker").capacity().desired == 2


def test_a_web_page_cannot_change_the_group(double: Any, group: fleet_group.LocalGroup) -> None:
    url = double.meta.endpoint_url
    body = f"Action=SetDesiredCapacity&AutoScalingGroupName={NAME}&DesiredCapacity=3".encode()
    page = urllib.request.Request(url, body, {"Origin": "https://evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(page)
    renamed = urllib.request.Request(url, body, {"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(renamed)
    assert group.desired == 2


def test_another_user_needs_the_secret_to_change_the_group(double: Any, group: fleet_group.LocalGroup) -> None:
    others = client(double.meta.endpoint_url)
    friends = client(double.meta.endpoint_url, "a secret")
    with another_user():
        with pytest.raises(ClientError, match="AccessDenied"):
            others.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=3)
        assert group.desired == 2
        friends.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=3)
    assert group.desired == 3
