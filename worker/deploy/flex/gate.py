"""The gate of flex stacks. Our own code writes them from checked values, and yet nothing beyond this is deployed.

The app's part of one (variables, policies, names) has passed the gate of the app's own template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from auto_lambda.model import Template
from worker.bundle.flex.parts import FlexParts
from worker.bundle.flex.tasks import image
from worker.deploy.gate.template import Violation

TYPES = frozenset(
    f"AWS::{name}"
    for name in (
        "ApplicationAutoScaling::ScalableTarget", "ApplicationAutoScaling::ScalingPolicy", "CloudWatch::Alarm",
        "EC2::InternetGateway", "EC2::Route", "EC2::RouteTable", "EC2::SecurityGroup", "EC2::Subnet",
        "EC2::SubnetRouteTableAssociation", "EC2::VPC", "EC2::VPCGatewayAttachment", "ECS::Cluster", "ECS::Service",
        "ECS::TaskDefinition", "ElasticLoadBalancingV2::Listener", "ElasticLoadBalancingV2::LoadBalancer",
        "ElasticLoadBalancingV2::TargetGroup", "IAM::Role", "Lambda::Permission", "Logs::LogGroup",
        "Route53::RecordSet",
    )
)  # fmt: skip
_SERVICE = {"Service": "ecs-tasks.amazonaws.com"}
_DYNAMIC = re.compile(r"\{\{\s*resolve", re.IGNORECASE)


def problems(template: Template, parts: FlexParts) -> Iterator[Violation]:
    """Yield whatever a flex stack of these parts may not have."""
    if _DYNAMIC.search(json.dumps(template)):
        yield Violation("template", "dynamic references are not allowed")
    for name, one in sorted(template["Resources"].items()):
        if one["Type"] not in TYPES:
            yield Violation(name, f"resources of type {one['Type']} are not allowed")
        yield from (Violation(name, rule) for rule in _judge(one["Type"], one["Properties"], parts))


def _judge(kind: str, properties: dict[str, Any], parts: FlexParts) -> Iterator[str]:
    match kind:
        case "AWS::IAM::Role":
            yield from _role(properties, parts)
        case "AWS::EC2::SecurityGroup":
            for rule in properties["SecurityGroupIngress"]:
                if rule.get("CidrIp") and rule["FromPort"] not in {80, 443}:
                    yield "it lets anybody connect to something else than the load balancer"
        case _:
            yield from _foreign(kind, properties, parts)


def _foreign(kind: str, properties: dict[str, Any], parts: FlexParts) -> Iterator[str]:
    """Yield what is another app's, or nobody's that the pipeline knows."""
    match kind:
        case "AWS::ECS::TaskDefinition":
            if [one["Image"] for one in properties["ContainerDefinitions"]] != [image(parts)]:
                yield "it runs another image than the pipeline's"
        case "AWS::Route53::RecordSet":
            if (properties["Name"], properties["HostedZoneId"]) != (f"{parts.domain}.", parts.zone_id):
                yield "it is a record of another name"
        case "AWS::Lambda::Permission":
            if properties["FunctionName"] != parts.alias_arn:
                yield "it lets another function be called"
            if f":{parts.place.account}:" not in str(properties.get("SourceArn")):
                yield "it lets another account call the function"
        case "AWS::Logs::LogGroup":
            if not str(properties["LogGroupName"]).startswith(f"/aws/lambda/{parts.app.function}/"):
                yield "it is another app's log group"


def _role(properties: dict[str, Any], parts: FlexParts) -> Iterator[str]:
    if properties.get("PermissionsBoundary") != parts.boundary_arn or properties.get("Path") != "/auto-lambda/":
        yield "the role lacks the app's permissions boundary or its path"
    statements = properties["AssumeRolePolicyDocument"]["Statement"]
    if [one.get("Principal") for one in statements] != [_SERVICE] or statements[0].get("Action") != "sts:AssumeRole":
        yield "only tasks may assume the role"
