"""The rights of the updater, evaluated as IAM does: policy and boundary together, for each call that it makes."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.decode import decode
from ecs_updater.configure import HERE, Reach, policies
from iam.conditions import Context
from iam.evaluate import Principal, Request, allowed
from iam.template import ACCOUNT, REGION, PipelineStack

ROLE = f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/ecs-updater-platform"
TO_TASKS: Context = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
REGISTERED: Context = {"ecs:CreateAction": "RegisterTaskDefinition"}
NAMESPACE = "auto-lambda/platform/ecs-updater"


def arn(service: str, resource: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


SERVICE, TASK, DEFINITION = (
    arn("ecs", "service/shop/web"),
    arn("ecs", "task/shop/1a2b"),
    arn("ecs", "task-definition/web:2"),
)
HINTS = arn("sns", "ecs-updater-platform_hints")
PARAMETERS = arn("ssm", "parameter/auto-lambda/platform/ecs-updater")
REPOSITORY = arn("ecr", "repository/shop/web")
LOGS = arn("logs", "log-group:/aws/lambda/ecs-updater-platform-converge")
Case = tuple[str, str, Context]


def within(cluster: str) -> Context:
    return {"ecs:cluster": arn("ecs", f"cluster/{cluster}")}


def log_calls(function: str) -> list[Case]:
    group = arn("logs", f"log-group:/aws/lambda/ecs-updater-platform-{function}")
    actions = ("CreateLogStream", "PutLogEvents")
    return [("logs:CreateLogGroup", group, {}), *((f"logs:{one}", f"{group}:log-stream:x", {}) for one in actions)]


READS: list[Case] = [
    ("ecs:ListServices", "*", within("shop")),
    ("ecs:DescribeServices", SERVICE, {}),
    ("ecs:ListTasks", "*", within("shop")),
    ("ecs:DescribeTasks", TASK, {}),
    ("ecs:DescribeTaskDefinition", "*", {}),
    ("ecs:ListTaskDefinitions", "*", {}),
    ("cloudwatch:DescribeAlarms", "*", {}),
    ("ecr:DescribeImages", REPOSITORY, {}),
    ("ssm:GetParametersByPath", PARAMETERS, {}),
]
CHANGES: list[Case] = [
    ("ecs:RegisterTaskDefinition", "*", {}),
    ("ecs:TagResource", DEFINITION, REGISTERED),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/shopTask", TO_TASKS),
    ("ecs:UpdateService", SERVICE, {}),
    ("ecs:TagResource", SERVICE, {}),
    ("ecs:StopTask", TASK, {}),
]
TELLS: list[Case] = [
    ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": NAMESPACE}),
    ("events:PutEvents", arn("events", "event-bus/default"), {"events:source": "ecs-updater"}),
]
FOREIGN: list[Case] = [
    ("ecs:ListServices", "*", within("billing")),
    ("ecs:DescribeServices", arn("ecs", "service/billing/web"), {}),
    ("ecs:UpdateService", arn("ecs", "service/billing/web"), {}),
    ("ecs:UpdateService", arn("ecs", "service/shop-prod/web"), {}),
    ("ecs:StopTask", arn("ecs", "task/billing/1a2b"), {}),
    ("ecs:TagResource", arn("ecs", "service/billing/web"), {}),
    ("ecs:TagResource", DEFINITION, {}),
    ("ecs:DeleteService", SERVICE, {}),
    ("ecs:RunTask", DEFINITION, {}),
    ("ecs:ExecuteCommand", TASK, {}),
    ("ecs:DeregisterTaskDefinition", "*", {}),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", TO_TASKS),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/shopTask", {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("ecr:DescribeImages", arn("ecr", "repository/billing/web"), {}),
    ("ecr:PutImage", REPOSITORY, {}),
    ("ssm:GetParametersByPath", arn("ssm", "parameter/auto-lambda/platform/another"), {}),
    ("ssm:PutParameter", f"{PARAMETERS}/token", {}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AutoLambda"}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": f"{NAMESPACE}-2"}),
    ("events:PutEvents", arn("events", "event-bus/default"), {"events:source": "auto-lambda"}),
    ("events:PutEvents", arn("events", "event-bus/other"), {"events:source": "ecs-updater"}),
    ("sns:Publish", arn("sns", "billing"), {}),
    ("logs:PutLogEvents", arn("logs", "log-group:/aws/lambda/billing:log-stream:x"), {}),
]


def boundary() -> Any:
    template, _ = decode(str(HERE / "setup.yaml"))
    assert template
    return PipelineStack(template=template).document("Boundary")


BOUNDARY = boundary()
FUNCTIONS: dict[str, list[Case]] = {
    "converge": [*READS, *CHANGES, *TELLS, *log_calls("converge")],
    "api": [*READS, ("sns:Publish", HINTS, {}), *log_calls("api_handler")],
    "hint": [("sns:Publish", HINTS, {}), *log_calls("tick")],
}


def role(name: str, *, bounded: bool = True) -> Principal:
    policy = {"Statement": policies(Reach(["shop"], ["shopTask"], ["shop/*"]))[name]}
    return Principal(ROLE, (policy,), BOUNDARY if bounded else None)


@pytest.mark.parametrize(("function", "case"), [(name, case) for name, cases in FUNCTIONS.items() for case in cases])
def test_each_function_may_make_its_calls(function: str, case: Case) -> None:
    assert allowed(role(function), Request(*case))


@pytest.mark.parametrize("case", FOREIGN)
def test_what_converges_may_touch_nothing_else(case: Case) -> None:
    assert not allowed(role("converge", bounded=False), Request(*case)), "by its policy alone"


@pytest.mark.parametrize("function", ["api", "hint"])
@pytest.mark.parametrize("case", [*CHANGES, *TELLS])
def test_what_anybody_can_call_may_change_nothing(function: str, case: Case) -> None:
    assert not allowed(role(function), Request(*case))


def test_without_roles_none_is_passed() -> None:
    statements = policies(Reach(["shop"]))["converge"]
    assert not allowed(Principal(ROLE, ({"Statement": statements},)), Request(*CHANGES[2]))
