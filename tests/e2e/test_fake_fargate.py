"""The fake Fargate behind a load balancer of the embedded AWS: real processes, and no request that fails."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError
from e2e_stack import until
from task_stack import template

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.fargate.process import TaskProcess
from auto_lambda_cli.local_stack.fargate.watch import FakeFargate, Watching, running
from auto_lambda_cli.local_stack.stack import local_client

STACK = "al-Flex-flexed-dev"


@dataclass
class World:
    aws: EmbeddedAws
    fargate: FakeFargate
    answers: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return local_client(self.aws, service)

    def change(self, body: Mapping[str, Any], **parameters: str) -> str:
        """Update the stack, or create it, and wait; its status."""
        stacks = self.client("cloudformation")
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        listed = {one["StackName"] for one in stacks.describe_stacks()["Stacks"]}
        call = stacks.update_stack if STACK in listed else stacks.create_stack
        try:
            call(StackName=STACK, TemplateBody=json.dumps(body), Parameters=given)
        except ClientError as error:
            assert "No updates" in str(error)  # noqa: PT017 - it is so already
        return until(self._settled, 60)

    def _settled(self) -> str | None:
        (found,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else str(found["StackStatus"])

    def health(self) -> Counter[str]:
        elb = self.client("elbv2")
        return Counter(
            one["TargetHealth"]["State"]
            for group in elb.describe_target_groups()["TargetGroups"]
            for one in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        )

    @contextmanager
    def load(self) -> Iterator[None]:
        """Ask through the load balancer all the time; what is answered, and what fails, is counted."""
        stop, pool = threading.Event(), urllib3.PoolManager(retries=False, timeout=10)

        def forever() -> None:
            while not stop.wait(0.01):
                try:
                    answer = pool.request("GET", f"{self.aws.endpoint}/_alb/flexed/")
                except urllib3.exceptions.HTTPError as error:
                    self.failed.append(repr(error))
                else:
                    if answer.status == 200:
                        self.answers[answer.data.decode()] += 1
                    else:
                        self.failed.append(f"{answer.status} {answer.data!r}")

        thread = threading.Thread(target=forever)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("fargate")

    def start(definition: Mapping[str, Any], home: Path) -> TaskProcess:
        return TaskProcess.start(definition, lambda _: Path(sys.executable), "3.12", aws.environ, home)

    with EmbeddedAws.start(folder) as aws:
        watching = Watching(local_client(aws, "ecs"), local_client(aws, "elbv2"), start, folder / "tasks")
        with running(watching) as fargate:
            yield World(aws, fargate)


def test_tasks_come_are_replaced_and_go_without_a_failed_request(world: World) -> None:
    assert world.change(template()) == "CREATE_COMPLETE"
    assert world.fargate.tasks() == []
    assert world.change(template(), Phase="both", Count="2") == "UPDATE_COMPLETE"
    assert world.health() == {"healthy": 2}, "CloudFormation has waited for them"
    with world.load():
        assert world.change(template(), Phase="fargate", Count="4") == "UPDATE_COMPLETE"
        assert world.health() == {"healthy": 4}
        assert world.change(template(WORD="two"), Phase="fargate", Count="4") == "UPDATE_COMPLETE"
        until(lambda: world.health() == {"healthy": 4}, 20)
        seen = world.answers["two"]
        until(lambda: world.answers["two"] > seen + 20, 20)
        assert world.change(template(WORD="two"), Phase="fargate", Count="1") == "UPDATE_COMPLETE"
        until(lambda: len(world.fargate.tasks()) == 1 and world.health() == {"healthy": 1}, 20)
    assert world.failed == []
    assert set(world.answers) == {"one", "two"}


def test_the_weights_of_target_groups_decide_who_answers(world: World) -> None:
    world.change(template(), Phase="fargate", Count="1")
    elb = world.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    (listener,) = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    (tasks,) = elb.describe_target_groups()["TargetGroups"]
    nobody = elb.create_target_group(Name="nobody", TargetType="ip", Port=80, Protocol="HTTP")["TargetGroups"][0]

    def status(weight: int) -> int:
        weights = {tasks["TargetGroupArn"]: weight, nobody["TargetGroupArn"]: 100 - weight}
        groups = [{"TargetGroupArn": arn, "Weight": one} for arn, one in weights.items()]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        elb.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[action])
        return int(urllib3.request("GET", f"{world.aws.endpoint}/_alb/flexed/", retries=False).status)

    assert (status(0), status(100)) == (503, 200)
    elb.delete_target_group(TargetGroupArn=nobody["TargetGroupArn"])


def test_a_revision_that_does_not_start_is_taken_back_and_the_old_one_serves_on(world: World) -> None:
    world.change(template(), Phase="fargate", Count="1")
    world.answers.clear()
    with world.load():
        assert world.change(template(BREAKS="1"), Phase="fargate", Count="1") == "UPDATE_ROLLBACK_COMPLETE"
        time.sleep(0.5)
    assert world.failed == []
    assert set(world.answers) == {"one"}
    until(lambda: world.health() == {"healthy": 1}, 20)


def test_nothing_is_left_when_the_phase_is_lambda_again(world: World) -> None:
    world.change(template(), Phase="fargate", Count="1")
    assert world.change(template(), Phase="lambda", Count="1") == "UPDATE_COMPLETE"
    until(lambda: world.fargate.tasks() == [], 20)
    assert world.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
