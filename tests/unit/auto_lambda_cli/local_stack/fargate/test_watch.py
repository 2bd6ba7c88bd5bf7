from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from auto_lambda_cli.local_stack.fargate.watch import FakeFargate, Watching


@dataclass
class Process:
    """Stands in for a process."""

    port: int
    log: Path = Path("task.log")
    address: str = "127.0.0.1"
    code: int | None = None
    terminated: bool = False

    def returncode(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.terminated = True
        self.code = 0

    def kill(self) -> None:
        self.code = -9 if self.code is None else self.code


@dataclass
class Aws:
    """ECS and the load balancers, as far as they are asked."""

    service: dict[str, Any] | None = None
    targets: dict[tuple[str, int], str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    variable: str = "AUTO_LAMBDA_TASK"
    drains: bool = False

    def list_clusters(self) -> Any:
        return {"clusterArns": ["cluster"] if self.service else []}

    def list_services(self, cluster: str) -> Any:
        return {"serviceArns": ["service"]}

    def describe_services(self, cluster: str, services: list[str]) -> Any:
        return {"services": [self.service]}

    def describe_task_definition(self, taskDefinition: str) -> Any:  # noqa: N803
        if taskDefinition == "missing":
            raise ClientError({"Error": {"Code": "ClientException"}}, "DescribeTaskDefinition")
        container = {"environment": [{"name": self.variable, "value": "{}"}]}
        return {"taskDefinition": {"containerDefinitions": [container]}}

    def describe_target_group_attributes(self, TargetGroupArn: str) -> Any:  # noqa: N803
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]}

    def describe_target_health(self, TargetGroupArn: str) -> Any:  # noqa: N803
        listed = [
            {"Target": {"Id": address, "Port": port}, "TargetHealth": {"State": state}}
            for (address, port), state in self.targets.items()
        ]
        return {"TargetHealthDescriptions": listed}

    def register_targets(self, TargetGroupArn: str, Targets: list[Mapping[str, Any]]) -> None:  # noqa: N803
        self.targets.update({(one["Id"], one["Port"]): "initial" for one in Targets})

    def deregister_targets(self, TargetGroupArn: str, Targets: list[Mapping[str, Any]]) -> None:  # noqa: N803
        for one in Targets:
            if (one["Id"], one["Port"]) not in self.targets:
                raise ClientError({"Error": {"Code": "TargetGroupNotFound"}}, "DeregisterTargets")
            if self.drains:
                self.targets[one["Id"], one["Port"]] = "draining"
            else:
                del self.targets[one["Id"], one["Port"]]

    def tag_resource(self, resourceArn: str, tags: list[dict[str, str]]) -> None:  # noqa: N803
        self.tags.update({one["key"]: one["value"] for one in tags})


@dataclass
class World:
    aws: Aws = field(default_factory=Aws)
    started: list[Process] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.fargate = FakeFargate(Watching(self.aws, self.aws, self.start, Path("tasks"), lambda: self.now))

    def start(self, definition: Mapping[str, Any], home: Path) -> Any:
        self.started.append(Process(len(self.started) + 1))
        return self.started[-1]

    def serve(self, definition: str = "shop:1", desired: int = 1, status: str = "ACTIVE") -> None:
        self.aws.service = {
            "serviceArn": "service", "status": status, "taskDefinition": definition, "desiredCount": desired,
            "loadBalancers": [{"targetGroupArn": "group", "containerPort": 8080}],
        }  # fmt: skip

    def tick(self) -> str:
        self.fargate.tick()
        return self.aws.tags.get("fake-fargate", "")


def test_a_service_gets_its_tasks_which_are_registered() -> None:
    world = World()
    assert world.tick() == ""
    assert not world.fargate.busy
    world.serve(desired=2)
    assert world.tick() == "moving 0 of 2 shop:1"
    assert world.aws.targets == {("127.0.0.1", 1): "initial", ("127.0.0.1", 2): "initial"}
    world.aws.targets = dict.fromkeys(world.aws.targets, "healthy")
    assert world.tick() == "stable 2 shop:1"
    assert set(world.fargate.logs().values()) == {Path("task.log")}


def test_a_task_leaves_the_load_balancer_before_it_is_told_to_end() -> None:
    world = World()
    world.serve()
    world.tick()
    world.serve(desired=0)
    world.aws.drains = True
    world.tick()
    assert world.aws.targets == {("127.0.0.1", 1): "draining"}
    world.tick()
    assert [one.terminated for one in world.started] == [False]
    world.now = 5
    world.tick()
    assert [one.terminated for one in world.started] == [True]
    world.tick()
    assert world.fargate.tasks() == []


def test_the_tasks_of_a_deleted_service_end_even_if_its_target_group_is_gone() -> None:
    world = World()
    world.serve()
    world.tick()
    world.serve(status="INACTIVE")
    world.aws.targets.clear()
    world.tick()
    world.tick()
    world.tick()
    assert world.fargate.tasks() == []
    assert world.started[0].terminated


def test_tasks_that_end_by_themselves_are_started_again_until_it_is_hopeless() -> None:
    world = World()
    world.serve()
    for _ in range(5):
        state = world.tick()
        world.started[-1].code = 1
    assert state == "failed shop:1 3 tasks ended or were never healthy"
    assert len(world.started) == 3
    world.serve("shop:2")
    world.tick()
    assert len(world.started) == 4, "another revision has its own chance"


def test_a_task_that_worked_forgives_the_failures_before_it() -> None:
    world = World()
    world.serve()
    for _ in range(4):
        world.tick()
        world.started[-1].code = 1
        world.tick()
        world.aws.targets = dict.fromkeys(world.aws.targets, "healthy")
        assert not world.tick().startswith("failed")


def test_services_that_run_something_else_are_left_alone() -> None:
    world = World(Aws(variable="OTHER"))
    world.serve()
    assert world.tick() == ""
    world.serve("missing")
    world.tick()
    assert world.started == []


def test_all_ends_with_it() -> None:
    world = World()
    world.serve(desired=2)
    world.tick()
    world.fargate.end()
    assert [one.code for one in world.started] == [-9, -9]
    assert world.fargate.tasks() == []
