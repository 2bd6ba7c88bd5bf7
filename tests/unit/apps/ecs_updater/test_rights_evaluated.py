"""The updater's policies within its boundary, evaluated as IAM would: what it may do, and what it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode
from ecs_updater.configure import Reach, policies
from iam.evaluate import Document, Principal, Request, allowed

APP = Path(__file__).parents[4] / "apps" / "ecs_updater"
REGION, ACCOUNT = "eu-west-1", "111122223333"
REACH = Reach(["shop"], ["shopTask"], ["shop/*"])
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:ecs-updater-platform_hints"
PSEUDO = {"${AWS::Partition}": "aws", "${AWS::Region}": REGION, "${AWS::AccountId}": ACCOUNT}


def resolved(value: Any) -> Any:
    """A part of the template with references replaced by what they stand for in an account."""
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return TOPIC
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text = str(value["Fn::Sub"])
        for name, meaning in PSEUDO.items():
            text = text.replace(name, meaning)
        return text
    if isinstance(value, dict):
        return {str(name): resolved(inner) for name, inner in value.items()}
    return [resolved(inner) for inner in value] if isinstance(value, list) else value


def boundary() -> Document:
    template, _ = decode(str(APP / "setup.yaml"))
    assert template
    document: Document = resolved(template["Resources"]["Boundary"]["Properties"]["PolicyDocument"])
    return document


BOUNDARY = boundary()


def may(who: str, action: str, resource: str, **context: str) -> bool:
    document: Document = {"Version": "2012-10-17", "Statement": policies(REACH)[who]}
    principal = Principal(f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/r", (document,), BOUNDARY, {})
    arn = (
        resource
        if resource.startswith(("arn:", "*"))
        else f"arn:aws:{action.split(':')[0]}:{REGION}:{ACCOUNT}:{resource}"
    )
    return allowed(principal, Request(action, arn, {key.replace("__", ":"): value for key, value in context.items()}))


CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
OWN = "auto-lambda/platform/ecs-updater"

READS: list[tuple[str, str, dict[str, str]]] = [
    ("ecs:ListServices", "*", {"ecs__cluster": f"{CLUSTER}shop"}),
    ("ecs:ListTasks", "*", {"ecs__cluster": f"{CLUSTER}shop"}),
    ("ecs:DescribeServices", "service/shop/web", {}),
    ("ecs:DescribeTasks", "task/shop/1", {}),
    ("ecs:GetTaskProtection", "task/shop/1", {}),
    ("ecs:DescribeTaskDefinition", "*", {}),
    ("ecs:ListTaskDefinitions", "*", {}),
    ("cloudwatch:DescribeAlarms", "*", {}),
    ("ecr:DescribeImages", "repository/shop/api", {}),
    ("ssm:GetParametersByPath", f"parameter/{OWN}", {}),
]
CHANGES: list[tuple[str, str, dict[str, str]]] = [
    ("ecs:RegisterTaskDefinition", "*", {}),
    ("ecs:UpdateService", "service/shop/web", {}),
    ("ecs:TagResource", "service/shop/web", {}),
    ("ecs:TagResource", "task-definition/web:2", {"ecs__CreateAction": "RegisterTaskDefinition"}),
    ("ecs:StopTask", "task/shop/1", {}),
    ("iam:PassRole", f"{ROLE}shopTask", {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
    ("events:PutEvents", "event-bus/default", {"events__source": "ecs-updater"}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch__namespace": OWN}),
]
NOBODY: list[tuple[str, str, dict[str, str]]] = [
    ("ecs:ListServices", "*", {"ecs__cluster": f"{CLUSTER}other"}),
    ("ecs:ListServices", "*", {}),
    ("ecs:DescribeServices", "service/other/web", {}),
    ("ecs:UpdateService", "service/other/web", {}),
    ("ecs:UpdateService", "service/shopping/web", {}),
    ("ecs:TagResource", "service/other/web", {}),
    ("ecs:TagResource", "task-definition/web:2", {}),
    ("ecs:StopTask", "task/other/1", {}),
    ("ecs:DeleteService", "service/shop/web", {}),
    ("ecs:RunTask", "task-definition/web:2", {}),
    ("ecs:ExecuteCommand", "task/shop/1", {}),
    ("ecs:DeregisterTaskDefinition", "*", {}),
    ("iam:PassRole", f"{ROLE}admin", {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
    ("iam:PassRole", f"{ROLE}shopTask", {"iam__PassedToService": "ec2.amazonaws.com"}),
    ("iam:PassRole", f"{ROLE}shopTask", {}),
    ("ecr:DescribeImages", "repository/other", {}),
    ("ecr:PutImage", "repository/shop/api", {}),
    ("ssm:GetParametersByPath", "parameter/auto-lambda/platform/other", {}),
    ("ssm:PutParameter", f"parameter/{OWN}/hook-token", {}),
    ("events:PutEvents", "event-bus/default", {"events__source": "aws.ecs"}),
    ("events:PutEvents", "event-bus/other", {"events__source": "ecs-updater"}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch__namespace": "AutoLambda"}),
    ("cloudwatch:SetAlarmState", "*", {}),
    ("sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:other", {}),
]


@pytest.mark.parametrize(("action", "resource", "context"), [*READS, *CHANGES])
def test_what_converges_may_do_its_work(action: str, resource: str, context: dict[str, str]) -> None:
    assert may("converge", action, resource, **context)


@pytest.mark.parametrize(("action", "resource", "context"), NOBODY)
def test_nobody_may_do_more(action: str, resource: str, context: dict[str, str]) -> None:
    assert not any(may(who, action, resource, **context) for who in policies(REACH))


@pytest.mark.parametrize(("action", "resource", "context"), READS)
def test_what_is_public_may_look(action: str, resource: str, context: dict[str, str]) -> None:
    assert may("api", action, resource, **context)


@pytest.mark.parametrize(("action", "resource", "context"), CHANGES)
def test_what_is_public_or_only_hints_may_change_nothing(action: str, resource: str, context: dict[str, str]) -> None:
    assert not may("api", action, resource, **context)
    assert not may("hint", action, resource, **context)


def test_hints_go_to_one_topic_and_what_hears_them_sends_none() -> None:
    assert [may(who, "sns:Publish", TOPIC) for who in ("api", "hint", "converge")] == [True, True, False]
