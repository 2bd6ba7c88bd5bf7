"""A flex stack on the embedded AWS, and what runs the controller on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flex_controller.chalicelib.converge import Convergence, Row
from flex_controller.chalicelib.fronts import Fronts
from flex_controller.chalicelib.stacks import Stacks
from flex_controller.chalicelib.telling import Telling
from flex_parts import with_settings
from killing import Killer

from auto_lambda.keys import App
from worker.bundle.flex.parts import RUNNING
from worker.bundle.flex.template import flex_template

NAMESPACE = "auto-lambda/platform/flex-controller"
ROLE = "auto-lambda/flex/flex-stacks"
SETTINGS = {"ttl": 60, "cool_down": 300, "transitions_per_hour": 60, "min_tasks": 1, "max_tasks": 4}
SERVICES = ("cloudformation", "elbv2", "ecs", "cloudwatch", "route53")


def template(zone: str, settings: Mapping[str, Any], app: App) -> str:
    """What the pipeline generates, with alarms that stay as they are set, and a resource that can be made to fail."""
    parts = replace(
        with_settings(**settings),
        app=app,
        domain=f"{app.function}.example.com",
        zone_id=zone,
        environment={},  # without a task in it, the emulator runs none
    )
    told = flex_template(parts)
    for name in ("High", "Low"):
        told["Resources"][name]["Properties"]["TreatMissingData"] = "ignore"
    told["Parameters"]["Broken"] = {"Type": "String", "Default": "no"}
    broken = {"Fn::Equals": [{"Ref": "Broken"}, "yes"]}
    told["Conditions"]["Fails"] = {"Fn::And": [{"Condition": RUNNING}, broken]}
    told["Resources"]["Impossible"] = {
        "Type": "AWS::SQS::Queue",
        "Condition": "Fails",
        "Properties": {"RedrivePolicy": {"deadLetterTargetArn": 5, "maxReceiveCount": "x"}},
    }
    return json.dumps(told)


@dataclass
class FlexApp:
    """An app with a flex stack, and what runs the controller on it.

    Attributes:
        client: makes a client of the embedded AWS.
        name: of the app; its stage is dev.
        later: by how much the controller's clock is ahead.
    """

    client: Callable[[str], Any]
    name: str
    settings: Mapping[str, Any] = field(default_factory=lambda: SETTINGS)
    later: timedelta = timedelta(0)
    healthy: bool = True
    answers: bool = True
    wanted: str = "middle"
    lines: list[dict[str, Any]] = field(default_factory=list)

    def make(self) -> FlexApp:
        self.clients = {service: self.client(service) for service in SERVICES}
        zone = self.clients["route53"].create_hosted_zone(Name="example.com", CallerReference=self.name)
        self.zone = zone["HostedZone"]["Id"].rpartition("/")[2]
        self.clients["cloudformation"].create_stack(
            StackName=self.stack,
            TemplateBody=template(self.zone, self.settings, App("dev", self.name)),
            Tags=[{"Key": f"auto-lambda:{key}", "Value": value} for key, value in self.tags.items()],
        )
        self.settle()
        self.demand("middle")
        return self

    def settle(self) -> None:
        """Wait for what CloudFormation still does."""
        while self.described()["StackStatus"].endswith("_IN_PROGRESS"):
            time.sleep(0.02)

    @property
    def tags(self) -> dict[str, str]:
        return {"app": self.name, "stage": "dev", "pipeline": "auto-lambda", "flex": "1"}

    @property
    def stack(self) -> str:
        return f"al-Flex-{self.name}-dev"

    def described(self) -> Any:
        return self.clients["cloudformation"].describe_stacks(StackName=self.stack)["Stacks"][0]

    def parameters(self) -> dict[str, str]:
        return {one["ParameterKey"]: one["ParameterValue"] for one in self.described()["Parameters"]}

    def at(self) -> tuple[str, int]:
        told = self.parameters()
        return told["Phase"], int(told["FargateWeight"])

    def resources(self) -> set[str]:
        pages = self.clients["cloudformation"].get_paginator("list_stack_resources").paginate(StackName=self.stack)
        return {one["LogicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}

    def weights(self) -> dict[str, int]:
        told = self.clients["route53"].list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return {one["SetIdentifier"]: one["Weight"] for one in told if "SetIdentifier" in one}

    def set(self, **parameters: str) -> None:
        """Do what a person or a drop does: change one parameter, keep all others."""
        kept = [
            {"ParameterKey": name, "ParameterValue": parameters[name]}
            if name in parameters
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in self.parameters()
        ]
        self.clients["cloudformation"].update_stack(StackName=self.stack, UsePreviousTemplate=True, Parameters=kept)

    def demand(self, demand: str) -> None:
        """Let alarms say so, those of them that are there; the one of low demand comes and goes."""
        self.wanted = demand
        for kind in ("High", "Low"):
            state = "ALARM" if demand == kind.lower() else "OK"
            with suppress(self.clients["cloudwatch"].exceptions.ResourceNotFound):
                self.clients["cloudwatch"].set_alarm_state(
                    AlarmName=f"{self.stack}-{kind}", StateValue=state, StateReason="a test"
                )

    def convergence(self) -> Convergence:
        # The emulator's targets are never registered by themselves, and are healthy when they are.
        fronts = Fronts(
            _Healthy(self.clients["elbv2"], lambda: self.healthy), self.clients["ecs"], self.clients["cloudwatch"],
            ask_=lambda url, domain: "" if self.answers else "503 for health",
        )  # fmt: skip
        telling = Telling(
            "run", NAMESPACE, self.clients["cloudwatch"], lambda line: self.lines.append(json.loads(line))
        )
        return Convergence(Stacks(self.clients["cloudformation"], ROLE), fronts, telling, self.now, "auto-lambda")

    def _write(self, line: str) -> None:
        self.lines.append(json.loads(line))

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def run(self, killer: Killer | None = None) -> list[Row]:
        with (killer or Killer()).watching(*self.clients.values()):
            return [row for row in self.convergence().run() if row.name == self.stack]

    def row(self) -> dict[str, Any]:
        (row,) = (row for row in self.convergence().look() if row.name == self.stack)
        return row.told()

    def minute(self, killer: Killer | None = None) -> None:
        """Let a minute pass, and run."""
        self.later += timedelta(seconds=60)
        self.demand(self.wanted)
        before = self.at()
        try:
            self.run(killer)
        finally:
            if self.at() != before:
                self.later = timedelta(0)  # the emulator's clock has not moved: the transition was just now

    def delete(self) -> None:
        self.clients["cloudformation"].delete_stack(StackName=self.stack)


@dataclass
class _Healthy:
    """The load balancer's client, with one target as healthy as is said."""

    client: Any
    healthy: Callable[[], bool]

    @property
    def meta(self) -> Any:
        return self.client.meta

    def describe_target_health(self, **asked: Any) -> Any:
        self.client.describe_target_health(**asked)
        state = "healthy" if self.healthy() else "unhealthy"
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}}]}
