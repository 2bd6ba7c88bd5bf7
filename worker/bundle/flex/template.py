"""Write the template of a flex stack."""

from __future__ import annotations

import json
from typing import Any

from auto_lambda.model import Template
from worker.bundle.domains import record_set
from worker.bundle.flex.alarms import HIGH, LOW, alarm_name, alarms
from worker.bundle.flex.network import balancer, network
from worker.bundle.flex.parts import RUNNING, TOPIC, FlexParts, Resources, attribute
from worker.bundle.flex.tasks import tasks

PHASES = ("lambda", "both", "fargate")
MODES = ("auto", "up", "down", "pause")
START = {"Phase": "lambda", "FargateWeight": "0", "Mode": "auto"}
"""The parameters of a new stack. Only the controller, and people by its commands, change them."""


def flex_template(parts: FlexParts) -> Template:
    """Return the template; the same parts give an equal one."""
    resources = {**network(parts), **balancer(parts), **tasks(parts), **alarms(parts), **_records(parts)}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{parts.app} on Fargate while demand is high, by Auto-Lambda",
        "Parameters": _parameters(),
        "Rules": _rules(),
        "Mappings": {"Rest": {str(weight): {"Weight": 100 - weight} for weight in range(101)}},
        "Conditions": {RUNNING: {"Fn::Not": [{"Fn::Equals": [{"Ref": "Phase"}, "lambda"]}]}},
        "Resources": resources,
        "Outputs": _outputs(parts),
    }


def _parameters() -> dict[str, Any]:
    texts: dict[str, dict[str, Any]] = {
        "Phase": {"AllowedValues": list(PHASES)},
        "FargateWeight": {"AllowedPattern": "[0-9]|[1-9][0-9]|100"},
        "Mode": {"AllowedValues": list(MODES)},
    }
    return {name: {"Type": "String", "Default": START[name], **more} for name, more in texts.items()}


def _rules() -> dict[str, Any]:
    """Refuse weights that would send traffic to what is not there, or keep it from what is to have all of it."""

    def rule(phase: str, weight: str) -> dict[str, Any]:
        wanted = {"Fn::Equals": [{"Ref": "FargateWeight"}, weight]}
        said = f"In the phase {phase}, FargateWeight is {weight}"
        return {
            "RuleCondition": {"Fn::Equals": [{"Ref": "Phase"}, phase]},
            "Assertions": [{"Assert": wanted, "AssertDescription": said}],
        }

    return {"OnLambda": rule("lambda", "0"), "OnFargate": rule("fargate", "100")}


def _records(parts: FlexParts) -> Resources:
    """Return the records of both fronts, which share the traffic by their weights."""
    name, zone, ttl = parts.domain, parts.zone_id, parts.settings.ttl
    host = attribute("LoadBalancer", "DNSName")
    if parts.standing:
        # It has all traffic at once, perhaps of an app that was live before: not before the listener can take it.
        return {"FargateRecord": {**record_set(name, zone, host, "fargate", 100, ttl), "DependsOn": "Listener"}}
    rest = {"Fn::FindInMap": ["Rest", {"Ref": "FargateWeight"}, "Weight"]}
    return {
        "LambdaRecord": record_set(name, zone, parts.front, "lambda", rest, ttl),
        "FargateRecord": parts.when_running(record_set(name, zone, host, "fargate", {"Ref": "FargateWeight"}, ttl)),
    }


def _outputs(parts: FlexParts) -> dict[str, Any]:
    said = json.dumps(parts.settings.model_dump(), sort_keys=True, separators=(",", ":"))
    always: dict[str, Any] = {
        "Domain": parts.domain,
        "LambdaFront": parts.front,
        "HostedZoneId": parts.zone_id,
        "Function": parts.function,
        "Settings": said,
        "AlarmNames": f"{alarm_name(parts, HIGH)} {alarm_name(parts, LOW)}",
        "Topic": parts.place.arn("sns", TOPIC),
    }
    balanced: dict[str, Any] = {
        "LoadBalancerUrl": {"Fn::Sub": "https://${LoadBalancer.DNSName}"},
        "LoadBalancer": attribute("LoadBalancer", "LoadBalancerFullName"),
        "TargetGroupArn": {"Ref": "TargetGroup"},
    }
    running: dict[str, Any] = {"Cluster": {"Ref": "Cluster"}, "Service": attribute("Service", "Name")}
    outputs: dict[str, Any] = {name: {"Value": value} for name, value in always.items()}
    outputs |= {name: parts.when_balanced({"Value": value}) for name, value in balanced.items()}
    return outputs | {name: parts.when_running({"Value": value}) for name, value in running.items()}
