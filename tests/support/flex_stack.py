"""A flex stack on the embedded AWS, with the contract's parameters and a template that is written by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flex_controller.chalicelib.converge import Convergence, Row
from flex_controller.chalicelib.fronts import Fronts
from flex_controller.chalicelib.stacks import Stacks
from flex_controller.chalicelib.telling import Telling
from killing import Killer

NAMESPACE = "auto-lambda/platform/flex-controller"
ROLE = "auto-lambda/flex/flex-stacks"
SETTINGS = {
    "variant": "dns", "ttl": 60, "cool_down": 300, "transitions_per_hour": 60, "min_tasks": 1, "max_tasks": 4,
}  # fmt: skip
SERVICES = ("cloudformation", "elbv2", "ecs", "cloudwatch", "route53")


def template(zone: str, settings: Mapping[str, Any], name: str, url: str, topic: str) -> str:
    """What the pipeline generates, as far as the controller looks at it."""
    dear = {"Condition": "Dear"}
    record = {
        "Type": "AWS::Route53::RecordSet",
        "Properties": {"HostedZoneId": zone, "Name": f"{name}.example.com", "Type": "CNAME", "TTL": "60"},
    }

    def weighted(identifier: str, weight: object, target: str, **more: Any) -> dict[str, Any]:
        told = {"SetIdentifier": identifier, "Weight": weight, "ResourceRecords": [target]}
        return {**record, **more, "Properties": {**record["Properties"], **told}}  # type: ignore[dict-item]

    group = {"Name": name[:32], "TargetType": "ip", "Port": 8080, "Protocol": "HTTP", "VpcId": "vpc-1"}
    listener = {
        "LoadBalancerArn": {"Ref": "LoadBalancer"}, "Port": 80, "Protocol": "HTTP",
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "TargetGroup"}}],
    }  # fmt: skip
    containers = [{"Name": "app", "Image": "python", "Memory": 64}]
    service = {
        "Cluster": {"Ref": "Cluster"}, "TaskDefinition": {"Ref": "Definition"}, "DesiredCount": 1,
        "ServiceName": name,
    }  # fmt: skip

    def alarm(kind: str) -> dict[str, Any]:
        rule = {
            "AlarmName": f"al-Flex-{name}-{kind}", "AlarmDescription": {"Fn::Sub": "${Mode}"}, "Period": 60,
            "Namespace": "flex", "MetricName": kind, "Statistic": "Sum", "EvaluationPeriods": 1, "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore",
            "AlarmActions": [topic] if topic else [],
        }  # fmt: skip
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": rule}

    weights = {"lambda": {"0": "100", "100": "0"}}
    told: dict[str, Any] = {
        "Parameters": {
            "Phase": {"Type": "String", "Default": "lambda"},
            "FargateWeight": {"Type": "String", "Default": "0"},
            "Mode": {"Type": "String", "Default": "auto"},
            "Code": {"Type": "String", "Default": "one"},
            "Broken": {"Type": "String", "Default": "no"},
        },
        "Mappings": {"Weights": {weight: {"Lambda": rest} for weight, rest in weights["lambda"].items()}},
        "Conditions": {
            "Dear": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Phase"}, "lambda"]}]},
            "Fails": {"Fn::And": [{"Condition": "Dear"}, {"Fn::Equals": [{"Ref": "Broken"}, "yes"]}]},
        },
        "Resources": {
            "LambdaRecord": weighted(
                "lambda", {"Fn::FindInMap": ["Weights", {"Ref": "FargateWeight"}, "Lambda"]}, "api.example.com"
            ),
            "FargateRecord": weighted("fargate", {"Ref": "FargateWeight"}, "alb.example.com", **dear),
            "TargetGroup": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", **dear, "Properties": group},
            "LoadBalancer": {
                "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
                **dear,
                "Properties": {"Name": name[:32]},
            },
            "Listener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", **dear, "Properties": listener},
            "Cluster": {"Type": "AWS::ECS::Cluster", **dear, "Properties": {"ClusterName": f"al-Flex-{name}"}},
            "Definition": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {"Family": name, "ContainerDefinitions": containers},
            },
            "Service": {"Type": "AWS::ECS::Service", **dear, "Properties": service},
            "Impossible": {
                "Type": "AWS::SQS::Queue",
                "Condition": "Fails",
                "Properties": {"RedrivePolicy": {"deadLetterTargetArn": 5, "maxReceiveCount": "x"}},
            },
            "High": alarm("High"),
            "Low": alarm("Low"),
        },
        "Outputs": {
            "Domain": {"Value": f"{name}.example.com"},
            "Settings": {"Value": json.dumps(settings)},
            "AlarmNames": {"Value": f"al-Flex-{name}-High al-Flex-{name}-Low"},
            "HostedZoneId": {"Value": zone},
            "TargetGroupArn": {**dear, "Value": {"Ref": "TargetGroup"}},
            "Service": {**dear, "Value": {"Ref": "Service"}},
            "LoadBalancerUrl": {**dear, "Value": url},
        },
    }
    return json.dumps(told)


@dataclass
class FlexApp:
    """An app with a flex stack, and what runs the controller on it.

    Attributes:
        client: makes a client of the embedded AWS.
        name: of the app; its stage is dev.
        later: by how much the controller's clock is ahead.
        url: of the load balancer.
        topic: of the alarms, empty for none.
    """

    client: Callable[[str], Any]
    name: str
    settings: Mapping[str, Any] = field(default_factory=lambda: SETTINGS)
    later: timedelta = timedelta(0)
    healthy: bool = True
    answers: bool = True
    url: str = "https://alb.example.com"
    topic: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)

    def make(self) -> FlexApp:
        self.clients = {service: self.client(service) for service in SERVICES}
        zone = self.clients["route53"].create_hosted_zone(Name="example.com", CallerReference=self.name)
        self.zone = zone["HostedZone"]["Id"].rpartition("/")[2]
        self.clients["cloudformation"].create_stack(
            StackName=self.stack,
            TemplateBody=template(self.zone, self.settings, f"{self.name}-dev", self.url, self.topic),
            Tags=[{"Key": f"auto-lambda:{key}", "Value": value} for key, value in self.tags.items()],
        )
        while self.described()["StackStatus"].endswith("_IN_PROGRESS"):
            time.sleep(0.02)
        self.demand("middle")
        return self

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
        for kind in ("High", "Low"):
            state = "ALARM" if demand == kind.lower() else "OK"
            self.clients["cloudwatch"].set_alarm_state(
                AlarmName=f"al-Flex-{self.name}-dev-{kind}", StateValue=state, StateReason="a test"
            )

    def convergence(self) -> Convergence:
        # The emulator's targets are never registered by themselves, and are healthy when they are.
        fronts = Fronts(
            _Healthy(self.clients["elbv2"], lambda: self.healthy), self.clients["ecs"], self.clients["cloudwatch"],
            lambda url, domain: "" if self.answers else "503 for health",
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
