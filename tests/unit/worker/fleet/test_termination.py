"""A machine that is told to leave, and one that must not be taken while it builds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from auto_lambda.aws.autoscaling import Member
from auto_lambda.aws.metadata import Metadata, NoMetadata
from auto_lambda.daemon.service import Stop
from auto_lambda_cli.local_stack.imds import Imds, imds
from worker.fleet.termination import HEARTBEAT_SECONDS, PROTECTION_SECONDS, TerminationWatcher


@dataclass
class Group:
    told: list[str] = field(default_factory=list)
    throttled: int = 0
    smallest: bool = False

    def protect(self, wanted: bool) -> None:
        if self.throttled:
            self.throttled -= 1
            raise OSError("throttled")
        self.told.append("protect" if wanted else "unprotect")

    def leave(self) -> None:
        if self.smallest:
            raise OSError("the group must not be smaller")
        self.told.append("leave")

    def replace(self) -> None:
        self.told.append("replace")

    def still_here(self) -> None:
        self.told.append("heartbeat")

    def ready_to_go(self) -> None:
        self.told.append("complete")


@dataclass
class Machine:
    service: Imds
    group: Group = field(default_factory=Group)
    stop: Stop = field(default_factory=Stop)
    seconds: float = 1000.0

    def __post_init__(self) -> None:
        self.watcher = TerminationWatcher(
            Metadata(self.service.environ), lambda _: self.group, self.stop, clock=lambda: self.seconds, pause=0.01
        )
        self.watcher._join_group("i-0123456789abcdef0")


@pytest.fixture
def machine() -> Iterator[Machine]:
    with imds() as service:
        yield Machine(service)


def test_a_notice_starts_the_drain_once(machine: Machine) -> None:
    machine.watcher.poll()
    assert not machine.stop.requested.is_set()
    machine.service.values["spot/instance-action"] = "{}"
    machine.watcher.poll()
    machine.watcher.poll()
    assert machine.stop.requested.is_set()
    assert not machine.stop.at_once.is_set()


def test_a_notice_after_sigterm_does_not_count_as_the_second_signal(machine: Machine) -> None:
    machine.stop.request()
    machine.service.values["spot/instance-action"] = "{}"
    machine.watcher.poll()
    assert not machine.stop.at_once.is_set()


def test_while_it_drains_the_group_hears_heartbeats_and_at_last_that_it_may_go_on(machine: Machine) -> None:
    machine.service.values["autoscaling/target-lifecycle-state"] = "Terminated"
    machine.watcher.poll()
    machine.watcher.poll()
    machine.seconds += HEARTBEAT_SECONDS
    machine.watcher.poll()
    machine.watcher.finish()
    assert machine.group.told == ["heartbeat", "heartbeat", "complete"]


def test_protection_is_held_while_it_builds_and_given_up_when_idle(machine: Machine) -> None:
    machine.watcher.load(1)
    machine.watcher.poll()
    machine.watcher.load(0)
    machine.watcher.poll()
    machine.watcher.load(1)
    machine.watcher.poll()
    machine.watcher.load(0)
    assert machine.group.told == ["protect"]
    machine.seconds += PROTECTION_SECONDS
    machine.watcher.poll()
    machine.watcher.poll()
    assert machine.group.told == ["protect", "unprotect"]


def test_a_throttled_group_is_asked_again_at_the_next_look(machine: Machine) -> None:
    machine.group.throttled = 2
    machine.watcher.load(1)
    for _ in range(4):
        machine.watcher.poll()
    assert machine.group.told == ["protect"]


def test_protection_is_given_up_at_the_end(machine: Machine) -> None:
    machine.watcher.load(2)
    machine.watcher.poll()
    machine.watcher.finish()
    assert machine.group.told == ["protect", "unprotect"]


def test_a_machine_that_goes_by_itself_drains_and_waits_until_the_group_waits_for_it(machine: Machine) -> None:
    looks = iter(["InService", "InService", "Terminated"])
    state = "autoscaling/target-lifecycle-state"
    machine.service.answers[state] = lambda: next(looks, "Terminated")
    assert machine.watcher.leave_group("idle")
    assert machine.stop.requested.is_set()
    machine.watcher.finish()
    assert machine.group.told == ["leave", "complete"]
    assert not machine.watcher.leave_group("idle again")


def test_a_machine_that_is_only_recommended_to_go_is_replaced_once_it_has_drained(machine: Machine) -> None:
    looks = iter([None, None, "InService"])
    machine.service.answers["autoscaling/target-lifecycle-state"] = lambda: next(looks, "Terminated")
    machine.service.values["events/recommendations/rebalance"] = "{}"
    machine.watcher.poll()
    assert machine.stop.requested.is_set()
    assert machine.group.told == []
    machine.watcher.finish()
    assert machine.group.told == ["replace", "complete"]


def test_a_machine_that_is_only_stopped_stays_in_its_group(machine: Machine) -> None:
    machine.stop.request()
    machine.watcher.poll()
    machine.watcher.finish()
    assert machine.group.told == []


def test_a_machine_that_its_group_keeps_works_on(machine: Machine) -> None:
    machine.group.smallest = True
    assert not machine.watcher.leave_group("idle")
    assert not machine.stop.requested.is_set()
    machine.watcher.finish()
    assert machine.group.told == []


def test_a_machine_of_no_group_stays() -> None:
    stop = Stop()
    assert not TerminationWatcher(Metadata({}), lambda _: None, stop).leave_group("idle")
    assert not stop.requested.is_set()


def test_a_metadata_service_that_is_slow_at_boot_is_asked_again() -> None:
    class Slow(Metadata):
        asked = 0

        def instance(self) -> str:
            self.asked += 1
            if self.asked < 3:
                raise NoMetadata("timed out")
            return "i-0123456789abcdef0"

    found = threading.Event()
    watcher = TerminationWatcher(Slow({}), lambda _: found.set(), Stop(), pause=0.01)
    watcher.start()
    assert found.wait(10)
    watcher.finish()


def test_a_group_that_is_not_found_at_once_is_looked_for_again(machine: Machine) -> None:
    failures = iter([OSError("throttled"), OSError("throttled")])
    found = threading.Event()

    def find(instance: str) -> Group:
        if error := next(failures, None):
            raise error
        found.set()
        return machine.group

    watcher = TerminationWatcher(Metadata(machine.service.environ), find, machine.stop, pause=0.01)
    watcher.start()
    assert found.wait(10)
    watcher.finish()


def test_off_ec2_the_watcher_ends_by_itself_and_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    stop = Stop()
    nowhere = Metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"})
    watcher = TerminationWatcher(nowhere, lambda _: None, stop, pause=0.01)
    watcher.start()
    watcher._thread.join(10)
    assert not watcher._thread.is_alive()
    watcher.load(1)
    watcher.finish()
    assert not stop.requested.is_set()
    assert capsys.readouterr() == ("", "")


def test_the_watchers_thread_follows_the_load(machine: Machine) -> None:
    machine.watcher.start()
    machine.watcher.load(1)
    machine.watcher.finish()
    assert machine.group.told in (["protect", "unprotect"], [])


def test_the_group_really_protects_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("autoscaling", region_name="eu-west-1")
        client.create_launch_configuration(
            LaunchConfigurationName="l", ImageId="ami-12c6146b", InstanceType="t3.small"
        )  # fmt: skip
        client.create_auto_scaling_group(
            AutoScalingGroupName="workers", LaunchConfigurationName="l", MinSize=1, MaxSize=1,
            AvailabilityZones=["eu-west-1a"],
        )  # fmt: skip
        instance = client.describe_auto_scaling_instances()["AutoScalingInstances"][0]["InstanceId"]
        member = Member.find(client, instance)
        assert member
        assert Member.find(client, "i-0123456789abcdef0") is None
        for wanted in (True, False):
            member.protect(wanted)
            (seen,) = client.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
            assert seen["ProtectedFromScaleIn"] is wanted
        client.update_auto_scaling_group(AutoScalingGroupName="workers", MinSize=0)
        member.leave()
        (group,) = client.describe_auto_scaling_groups()["AutoScalingGroups"]
        assert (group["DesiredCapacity"], group["Instances"]) == (0, [])


def test_only_hooks_of_termination_are_answered() -> None:
    client = boto3.client(
        "autoscaling", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    hooks = {
        "LifecycleHooks": [
            {"LifecycleHookName": "up", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"},
            {"LifecycleHookName": "drain", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"},
        ]
    }
    mine = {"AutoScalingGroupName": "workers", "LifecycleHookName": "drain", "InstanceId": "i-1234567890"}
    with Stubber(client) as stub:
        for call, more in (
            ("record_lifecycle_action_heartbeat", {}),
            ("complete_lifecycle_action", {"LifecycleActionResult": "CONTINUE"}),
        ):
            stub.add_response("describe_lifecycle_hooks", hooks, {"AutoScalingGroupName": "workers"})
            stub.add_response(call, {}, {**mine, **more})
        member = Member(client, "workers", "i-1234567890")
        member.still_here()
        member.ready_to_go()
        stub.assert_no_pending_responses()
