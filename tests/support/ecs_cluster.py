"""A cluster in moto with services that follow an image, and what runs the updater on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from ecs_updater.chalicelib.converge import Convergence, Row
from ecs_updater.chalicelib.ecs import Ecs
from ecs_updater.chalicelib.model import FOLLOW, MIN, TRIED
from ecs_updater.chalicelib.telling import Telling
from ecs_world import ACCOUNT, NOON, REGION, KnownTags
from killing import Killer
from moto.ecs.models import ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_api import state_manager

SHOP = "docker.io/acme/shop"


def _nothing_protected(_: object) -> str:
    return json.dumps({"protectedTasks": [], "failures": []})


EC2ContainerServiceResponse.get_task_protection = _nothing_protected  # type: ignore[attr-defined]  # moto lacks it


@cache
def client(service: str) -> Any:
    """A client for all tests: making one takes longer than a convergence."""
    return boto3.client(  # type: ignore[call-overload]
        service, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


@dataclass
class Cluster:
    """A cluster with three services, two of which follow an image, and what runs the updater on it."""

    client: Any = field(default_factory=lambda: client("ecs"))
    cloudwatch: Any = field(default_factory=lambda: client("cloudwatch"))
    events: Any = field(default_factory=lambda: client("events"))
    registry: KnownTags = field(default_factory=KnownTags)
    now: datetime = NOON
    patience: float = 60
    lines: list[dict[str, Any]] = field(default_factory=list)

    def make(self) -> Cluster:
        self.client.create_cluster(clusterName="shop")
        self.register("shop", "acme/shop:1.0.0", "proxy:3")
        self.register("api", "docker.io/acme/shop:1.0.0")
        self.register("blog", "acme/shop:1.0.0")
        self.service("web", "shop", {FOLLOW: "acme/shop:x"})
        self.service("api", "api", {FOLLOW: "acme/shop:x"})
        self.service("blog", "blog", {})
        self.registry.push(SHOP, "x", "1.0.0")
        return self

    def register(self, family: str, *images: str) -> None:
        containers = [{"name": f"c{index}", "image": image, "memory": 64} for index, image in enumerate(images)]
        self.client.register_task_definition(family=family, containerDefinitions=containers)

    def service(self, name: str, family: str, tags: dict[str, str], **more: Any) -> None:
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        self.client.create_service(
            cluster="shop", serviceName=name, taskDefinition=family, desiredCount=2, tags=listed, **more
        )

    def stuck(self) -> None:
        """Add the service full: three tasks of an old revision run, and there is no room for one of the new one."""
        self._moved("full", {MIN: "1"})
        state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1000})  # they go on running
        self.client.run_task(cluster="shop", taskDefinition="full:1", count=3, launchType="FARGATE")
        self.client.update_service(cluster="shop", service="full", taskDefinition="full:2", desiredCount=3)
        told = "(service full) was unable to place a task because no container instance met all of its requirements."
        event = {"id": "1", "createdAt": datetime.now(UTC), "message": told}
        ecs_backends[ACCOUNT][REGION].services["shop:full"].events.append(event)

    def taken_back(self) -> None:
        """Add the service back: a revision was tried, and its circuit breaker took it back."""
        self._moved("back", {TRIED: "back:2"})

    def _moved(self, name: str, tags: dict[str, str]) -> None:
        for version in ("1.0.0", "2.0.0"):
            self.register(name, f"acme/{name}:{version}")
        self.service(name, f"{name}:1", {FOLLOW: f"acme/{name}:x", **tags})
        self.registry.push(f"docker.io/acme/{name}", "x", "2.0.0")

    def tasks(self, status: str) -> int:
        return len(self.client.list_tasks(cluster="shop", desiredStatus=status)["taskArns"])

    def run(
        self, killer: Killer | None = None, clusters: tuple[str, ...] = ("shop",), families: tuple[str, ...] = ()
    ) -> list[Row]:
        telling = Telling("run", "auto-lambda/platform/ecs-updater", self.cloudwatch, self.events, self._write)
        convergence = Convergence(
            Ecs(self.client, self.cloudwatch), self.registry, telling, lambda: self.now, self.patience
        )
        with (killer or Killer()).watching(self.client, self.cloudwatch, self.events):
            return convergence.run(clusters, families)

    def _write(self, line: str) -> None:
        self.lines.append(json.loads(line))

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def on(self, name: str) -> str:
        (told,) = self.client.describe_services(cluster="shop", services=[name])["services"]
        return str(told["taskDefinition"].rpartition("/")[2])

    def images(self, name: str) -> list[str]:
        told = self.client.describe_task_definition(taskDefinition=self.on(name))["taskDefinition"]
        return [one["image"] for one in told["containerDefinitions"]]

    def desired(self, name: str) -> int:
        (told,) = self.client.describe_services(cluster="shop", services=[name])["services"]
        return int(told["desiredCount"])

    def tags(self, name: str) -> dict[str, str]:
        (told,) = self.client.describe_services(cluster="shop", services=[name], include=["TAGS"])["services"]
        return {tag["key"]: tag["value"] for tag in told["tags"]}

    def revisions(self) -> list[str]:
        arns = self.client.list_task_definitions()["taskDefinitionArns"]
        return sorted(arn.rpartition("/")[2] for arn in arns)

    def alarm(self, name: str, state: str) -> None:
        self.cloudwatch.put_metric_alarm(
            AlarmName=name, MetricName="Depth", Namespace="shop", Statistic="Average", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
