"""A convergence against the embedded AWS, which runs tasks: rolling updates, and tasks that are replaced one by one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from ecs_updater.chalicelib.converge import Convergence, Row
from ecs_updater.chalicelib.ecs import Ecs
from ecs_updater.chalicelib.model import FOLLOW, MIN, TRIED
from ecs_updater.chalicelib.telling import Telling
from ecs_world import NOON, KnownTags

SHOP = "docker.io/acme/shop"


@dataclass
class Service:
    """A service in a cluster of its own, which follows an image."""

    client: Callable[[str], Any]
    name: str
    registry: KnownTags = field(default_factory=KnownTags)
    lines: list[str] = field(default_factory=list)
    now: datetime = NOON

    def create(self, rules: dict[str, int], **tags: str) -> None:
        self.ecs = self.client("ecs")
        self.ecs.create_cluster(clusterName=self.name)
        containers = [{"name": "main", "image": "acme/shop:1.0.0", "memory": 64}]
        self.ecs.register_task_definition(family=self.name, containerDefinitions=containers)
        listed = [{"key": key, "value": value} for key, value in {FOLLOW: "acme/shop:x", **tags}.items()]
        self.ecs.create_service(
            cluster=self.name, serviceName=self.name, taskDefinition=self.name, desiredCount=3,
            deploymentConfiguration=rules, tags=listed,
        )  # fmt: skip
        self.registry.push(SHOP, "x", "1.1.0")

    def run(self) -> Row:
        cloudwatch, events = self.client("cloudwatch"), self.client("events")
        telling = Telling("run", "test", cloudwatch, events, self.lines.append)
        (row,) = Convergence(Ecs(self.ecs, cloudwatch), self.registry, telling, lambda: self.now).run([self.name])
        # The emulator starts a task in place of a stopped one only when the service is updated.
        self.ecs.update_service(cluster=self.name, service=self.name, desiredCount=3)
        return row

    def described(self) -> Any:
        told = self.ecs.describe_services(cluster=self.name, services=[self.name], include=["TAGS"])
        return told["services"][0]

    def tasks(self) -> dict[str, int]:
        """How many tasks run each revision."""
        arns = self.ecs.list_tasks(cluster=self.name, serviceName=self.name, desiredStatus="RUNNING")["taskArns"]
        told = self.ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"] if arns else []
        revisions = [one["taskDefinitionArn"].rpartition(":")[2] for one in told]
        return {revision: revisions.count(revision) for revision in sorted(set(revisions))}


@pytest.fixture
def service(aws_client: Callable[[str], Any], request: pytest.FixtureRequest) -> Service:
    return Service(aws_client, f"s{abs(hash(request.node.name)) % 10**9}")


def test_with_room_ecs_replaces_all_tasks_by_itself(service: Service) -> None:
    service.create({"minimumHealthyPercent": 100, "maximumPercent": 200})
    service.run()
    assert service.tasks() == {"2": 3}
    row = service.run()
    assert (row.verdict.behind, row.verdict.why) == (False, "")


@pytest.mark.parametrize(("pushed_before", "lag"), [(30, 90.0), (7200, 60.0), (-5, 60.0)])
def test_what_runs_is_told_once_with_the_time_since_the_push(service: Service, pushed_before: int, lag: float) -> None:
    service.create({})
    service.run()
    updated = service.described()["deployments"][0]["createdAt"]
    service.registry.push(SHOP, "x", "1.1.0", pushed=updated - timedelta(seconds=pushed_before))
    service.now = updated + timedelta(seconds=60)
    for _ in range(3):
        service.run()
    told = [json.loads(line) for line in service.lines]
    running = [(line["revision"], line["lag"]) for line in told if line["event"] == "running"]
    assert running == [(f"{service.name}:2", lag)]
    assert {"key": TRIED, "value": f"{service.name}:2 running"} in service.described()["tags"]


def test_without_room_tasks_are_replaced_one_by_one_down_to_the_minimum(service: Service) -> None:
    service.create({"minimumHealthyPercent": 100, "maximumPercent": 100}, **{MIN: "2"})
    service.run()
    seen = [service.tasks()]
    for _ in range(8):
        service.run()
        seen.append(service.tasks())
    assert seen[0] == {"1": 3}
    assert seen[-1] == {"2": 3}
    assert all(sum(running.values()) >= 2 for running in seen)
    new = [running.get("2", 0) for running in seen]
    assert all(later - earlier in (0, 1) for earlier, later in itertools.pairwise(new)), "one at a time"


def test_without_room_and_without_a_minimum_nothing_is_stopped_and_the_reason_is_said(service: Service) -> None:
    service.create({"minimumHealthyPercent": 100, "maximumPercent": 100})
    for _ in range(3):
        row = service.run()
    assert service.tasks() == {"1": 3}
    assert row.verdict.behind
    assert "at least 3 of 3 must keep running" in row.verdict.why
