"""The rights of the controller: no more than it calls, no less, and its API may change nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from app_calls import allowed, called
from flex_controller.configure import Choice, files, grants, policies
from flex_parts import with_settings
from flex_rights import may, role_may

from auto_lambda.grants import Grants
from worker.bundle.flex.parts import FLEX_ROLE
from worker.bundle.flex.parts import TOPIC as TOPIC_OF_ALARMS
from worker.bundle.flex.template import flex_template

APP = Path(__file__).parents[4] / "apps" / "flex_controller"
CALLS = {  # where each client is called: the name of its attribute, and the prefix of its actions
    "stacks.py": {"_client": "cloudformation"},
    "fronts.py": {"_elbv2": "elasticloadbalancing", "_ecs": "ecs", "_cloudwatch": "cloudwatch"},
    "telling.py": {"_cloudwatch": "cloudwatch"},
}
LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
STACK, OTHER = "stack/al-Flex-shop-dev/1", "stack/al-shop-dev/1"
ROLE = "arn:aws:iam::111122223333:role/auto-lambda/flex/flex-stacks"
TO_STACKS = {"iam__PassedToService": "cloudformation.amazonaws.com"}
OWN = "auto-lambda/platform/flex-controller"
TOPIC = "flex-controller-platform_hints"


def test_what_converges_may_do_what_it_calls_and_nothing_else() -> None:
    assert allowed(policies(Choice())["converge"]) == called(APP, CALLS) | LOGS | {"iam:PassRole"}


def test_nothing_calls_aws_but_the_files_named_here() -> None:
    clients = re.compile(r"self\._(client|elbv2|ecs|cloudwatch)\.\w+\(")
    calling = {path.name for path in (APP / "chalicelib").glob("*.py") if clients.search(path.read_text())}
    assert calling == set(CALLS)


def test_the_files_in_the_repository_are_those_that_the_script_writes() -> None:
    assert {path: (APP / path).read_text() for path in files(Choice())} == files(Choice())


def test_the_grants_are_grants() -> None:
    assert len(Grants.read(json.dumps(grants(Choice()))).statements) == len(policies(Choice())["converge"])


def test_every_function_has_its_own_policy_and_two_runs_never_overlap() -> None:
    (stage,) = json.loads((APP / ".chalice" / "config.json").read_text())["stages"].values()
    functions = stage["lambda_functions"]
    assert functions["converge"]["iam_policy_file"] == "policy-converge.json"
    assert functions["api_handler"]["iam_policy_file"] == "policy-api.json"
    assert stage["iam_policy_file"] == "policy-hint.json"
    assert functions["converge"]["reserved_concurrency"] == 1
    assert ROLE.endswith(stage["environment_variables"]["ROLE"])


READS: list[tuple[str, str]] = [
    ("cloudformation:ListStacks", "*"),
    ("cloudformation:DescribeStacks", STACK),
    ("cloudformation:DescribeStackEvents", STACK),
    ("cloudformation:DescribeStackResources", STACK),
    ("elasticloadbalancing:DescribeTargetHealth", "*"),
    ("ecs:DescribeServices", "service/al-Flex-shop-dev-Cluster-1/web"),
    ("cloudwatch:DescribeAlarms", "alarm:al-Flex-shop-dev-High"),
]
CHANGES: list[tuple[str, str, dict[str, str]]] = [
    ("cloudformation:UpdateStack", STACK, {}),
    ("iam:PassRole", ROLE, TO_STACKS),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch__namespace": OWN}),
]
NOBODY: list[tuple[str, str, dict[str, str]]] = [
    ("cloudformation:UpdateStack", OTHER, {}),
    ("cloudformation:UpdateStack", "stack/auto-lambda/1", {}),
    ("cloudformation:DescribeStacks", OTHER, {}),
    ("cloudformation:CreateStack", STACK, {}),
    ("cloudformation:DeleteStack", STACK, {}),
    ("cloudformation:CreateChangeSet", STACK, {}),
    ("cloudformation:SetStackPolicy", STACK, {}),
    ("iam:PassRole", "arn:aws:iam::111122223333:role/auto-lambda/flex/other", TO_STACKS),
    ("iam:PassRole", ROLE, {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
    ("iam:PassRole", ROLE, {}),
    ("elasticloadbalancing:DeleteLoadBalancer", "loadbalancer/app/x/1", {}),
    ("elasticloadbalancing:RegisterTargets", "targetgroup/x/1", {}),
    ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", {}),
    ("ecs:UpdateService", "service/al-Flex-shop-dev-Cluster-1/web", {}),
    ("ecs:DescribeServices", "service/shop/web", {}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch__namespace": "AutoLambda"}),
    ("cloudwatch:SetAlarmState", "alarm:al-Flex-shop-dev-High", {}),
    ("sns:Publish", "other", {}),
]


@pytest.mark.parametrize(("action", "resource"), READS)
def test_the_api_and_what_converges_may_look(action: str, resource: str) -> None:
    assert may("api", action, resource)
    assert may("converge", action, resource)


@pytest.mark.parametrize(("action", "resource", "context"), CHANGES)
def test_only_what_converges_may_change_anything(action: str, resource: str, context: dict[str, str]) -> None:
    assert [may(who, action, resource, Choice(), **context) for who in ("api", "hint", "converge")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(("action", "resource", "context"), NOBODY)
def test_nobody_may_do_more(action: str, resource: str, context: dict[str, str]) -> None:
    assert not any(may(who, action, resource, Choice(), **context) for who in policies(Choice()))


def test_hints_go_to_one_topic_and_only_the_clock_sends_any() -> None:
    assert [may(who, "sns:Publish", TOPIC) for who in ("api", "hint", "converge")] == [False, True, False]


def test_the_stacks_of_another_pipeline_can_be_put_out_of_reach() -> None:
    for pipeline, moved in (("shop-pipeline", True), ("other", False)):
        tags = {"aws__ResourceTag/auto-lambda:pipeline": pipeline}
        chosen = Choice("shop-pipeline")
        assert may("converge", "cloudformation:UpdateStack", STACK, chosen, **tags) is moved
    assert 'PIPELINE = "shop-pipeline"' in files(Choice("shop-pipeline"))["auto-lambda.toml"]


# ------------------------------------------------------------------------- the role that changes flex stacks

OURS = {"aws__ResourceTag/auto-lambda:flex": "1"}
BOUNDARY = {"iam__PermissionsBoundary": "arn:aws:iam::111122223333:policy/auto-lambda-NamespaceBoundary-X"}
TASK_ROLE = "arn:aws:iam::111122223333:role/auto-lambda/al-Flex-shop-dev-TaskRole-1"
TO_TASKS = {"iam__PassedToService": "ecs-tasks.amazonaws.com"}
ZONE = "arn:aws:route53:::hostedzone/Z1"
CNAME = {"route53__ChangeResourceRecordSetsRecordTypes": "CNAME"}
NEEDED: list[tuple[str, str, dict[str, str]]] = [
    ("ec2:CreateVpc", "vpc/*", {}),
    ("ec2:CreateTags", "vpc/vpc-1", {"ec2__CreateAction": "CreateVpc"}),
    ("ec2:DeleteVpc", "vpc/vpc-1", OURS),
    ("ec2:AuthorizeSecurityGroupIngress", "security-group/sg-1", OURS),
    ("elasticloadbalancing:CreateLoadBalancer", "loadbalancer/app/al-Fl/*", {}),
    ("elasticloadbalancing:ModifyListener", "listener/app/al-Fl/1/2", OURS),
    ("elasticloadbalancing:DeleteLoadBalancer", "loadbalancer/app/al-Fl/1", OURS),
    ("ecs:CreateCluster", "cluster/al-Flex-shop-dev-Cluster-1", {}),
    ("ecs:CreateService", "service/al-Flex-shop-dev-Cluster-1/x", {}),
    ("ecs:UpdateService", "service/al-Flex-shop-dev-Cluster-1/x", {}),
    ("ecs:RegisterTaskDefinition", "task-definition/al-Flex-shop-dev:*", {}),
    ("application-autoscaling:PutScalingPolicy", "scalable-target/1", {}),
    ("cloudwatch:PutMetricAlarm", "alarm:al-Flex-shop-dev-High", {}),
    ("cloudwatch:PutMetricAlarm", "alarm:TargetTracking-service/al-Flex-shop-dev-Cluster-1/x-AlarmHigh", {}),
    ("logs:CreateLogGroup", "log-group:/aws/lambda/shop-dev/fargate", {}),
    ("route53:ChangeResourceRecordSets", ZONE, CNAME),
    ("route53:ListResourceRecordSets", ZONE, {}),
    ("route53:GetChange", "arn:aws:route53:::change/C1", {}),
    ("iam:CreateRole", TASK_ROLE, BOUNDARY),
    ("iam:PutRolePolicy", TASK_ROLE, BOUNDARY),
    ("iam:DeleteRole", TASK_ROLE, {}),
    ("iam:PassRole", TASK_ROLE, TO_TASKS),
    ("lambda:AddPermission", "function:shop-dev", {"aws__ResourceTag/auto-lambda:app": "shop"}),
]
OUT_OF_REACH: list[tuple[str, str, dict[str, str]]] = [
    ("ec2:DeleteVpc", "vpc/vpc-1", {}),
    ("ec2:CreateTags", "vpc/vpc-1", {}),
    ("ec2:AuthorizeSecurityGroupIngress", "security-group/sg-1", {}),
    ("ec2:RunInstances", "instance/*", OURS),
    ("elasticloadbalancing:ModifyListener", "listener/app/theirs/1/2", {}),
    ("elasticloadbalancing:AddTags", "loadbalancer/app/theirs/1", {}),
    ("ecs:UpdateService", "service/shop/web", {}),
    ("ecs:RunTask", "task-definition/al-Flex-shop-dev:1", {}),
    ("ecs:ExecuteCommand", "task/al-Flex-shop-dev-Cluster-1/1", {}),
    ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z9", CNAME),
    ("route53:ChangeResourceRecordSets", ZONE, {"route53__ChangeResourceRecordSetsRecordTypes": "NS"}),
    ("cloudwatch:PutMetricAlarm", "alarm:billing", {}),
    ("logs:DeleteLogGroup", "log-group:/aws/lambda/shop-dev", {}),
    ("iam:CreateRole", TASK_ROLE, {}),
    ("iam:PutRolePolicy", TASK_ROLE, {"iam__PermissionsBoundary": "arn:aws:iam::111122223333:policy/mine"}),
    ("iam:CreateRole", "arn:aws:iam::111122223333:role/admin", BOUNDARY),
    ("iam:PutRolePolicy", ROLE, BOUNDARY),
    ("iam:DeleteRolePermissionsBoundary", TASK_ROLE, {}),
    ("iam:PassRole", TASK_ROLE, {"iam__PassedToService": "lambda.amazonaws.com"}),
    ("iam:PassRole", "arn:aws:iam::111122223333:role/admin", TO_TASKS),
    ("lambda:AddPermission", "function:theirs", {}),
    ("lambda:UpdateFunctionCode", "function:shop-dev", {"aws__ResourceTag/auto-lambda:app": "shop"}),
    ("s3:GetObject", "arn:aws:s3:::uploads/x", {}),
]


@pytest.mark.parametrize(("action", "resource", "context"), NEEDED)
def test_cloudformation_may_make_what_a_flex_stack_is_made_of(
    action: str, resource: str, context: dict[str, str]
) -> None:
    assert role_may(action, resource, **context)


@pytest.mark.parametrize(("action", "resource", "context"), OUT_OF_REACH)
def test_cloudformation_may_touch_nothing_else_with_that_role(
    action: str, resource: str, context: dict[str, str]
) -> None:
    assert not role_may(action, resource, **context)


BY_TYPE: dict[str, tuple[tuple[str, str, dict[str, str]], ...]] = {
    "ApplicationAutoScaling::ScalableTarget": (
        ("application-autoscaling:RegisterScalableTarget", "scalable-target/1", {}),
        ("application-autoscaling:DeregisterScalableTarget", "scalable-target/1", {}),
    ),
    "ApplicationAutoScaling::ScalingPolicy": (
        ("application-autoscaling:PutScalingPolicy", "scalable-target/1", {}),
        ("application-autoscaling:DeleteScalingPolicy", "scalable-target/1", {}),
    ),
    "CloudWatch::Alarm": (
        ("cloudwatch:PutMetricAlarm", "alarm:al-Flex-shop-dev-High", {}),
        ("cloudwatch:DeleteAlarms", "alarm:al-Flex-shop-dev-High", {}),
    ),
    "EC2::InternetGateway": (
        ("ec2:CreateInternetGateway", "internet-gateway/*", {}),
        ("ec2:DeleteInternetGateway", "internet-gateway/igw-1", OURS),
    ),
    "EC2::Route": (("ec2:CreateRoute", "route-table/rtb-1", OURS), ("ec2:DeleteRoute", "route-table/rtb-1", OURS)),
    "EC2::RouteTable": (
        ("ec2:CreateRouteTable", "route-table/*", {}),
        ("ec2:DeleteRouteTable", "route-table/rtb-1", OURS),
    ),
    "EC2::SecurityGroup": (
        ("ec2:CreateSecurityGroup", "security-group/*", {}),
        ("ec2:AuthorizeSecurityGroupIngress", "security-group/sg-1", OURS),
        ("ec2:RevokeSecurityGroupEgress", "security-group/sg-1", OURS),
        ("ec2:DeleteSecurityGroup", "security-group/sg-1", OURS),
    ),
    "EC2::Subnet": (("ec2:CreateSubnet", "subnet/*", {}), ("ec2:DeleteSubnet", "subnet/subnet-1", OURS)),
    "EC2::SubnetRouteTableAssociation": (
        ("ec2:AssociateRouteTable", "route-table/rtb-1", OURS),
        ("ec2:DisassociateRouteTable", "route-table/rtb-1", OURS),
    ),
    "EC2::VPC": (
        ("ec2:CreateVpc", "vpc/*", {}),
        ("ec2:ModifyVpcAttribute", "vpc/vpc-1", OURS),
        ("ec2:DeleteVpc", "vpc/vpc-1", OURS),
    ),
    "EC2::VPCGatewayAttachment": (
        ("ec2:AttachInternetGateway", "internet-gateway/igw-1", OURS),
        ("ec2:DetachInternetGateway", "vpc/vpc-1", OURS),
    ),
    "ECS::Cluster": (
        ("ecs:CreateCluster", "cluster/al-Flex-shop-dev", {}),
        ("ecs:DeleteCluster", "cluster/al-Flex-shop-dev", {}),
    ),
    "ECS::Service": (
        ("ecs:CreateService", "service/al-Flex-shop-dev/al-Flex-shop-dev", {}),
        ("ecs:DeleteService", "service/al-Flex-shop-dev/al-Flex-shop-dev", {}),
    ),
    "ECS::TaskDefinition": (
        ("ecs:RegisterTaskDefinition", "task-definition/al-Flex-shop-dev:*", {}),
        ("ecs:DeregisterTaskDefinition", "*", {}),
        ("iam:PassRole", TASK_ROLE, TO_TASKS),
    ),
    "ElasticLoadBalancingV2::Listener": (
        ("elasticloadbalancing:CreateListener", "loadbalancer/app/al-Fl/1", {}),
        ("elasticloadbalancing:ModifyListener", "listener/app/al-Fl/1/2", OURS),
        ("elasticloadbalancing:DeleteListener", "listener/app/al-Fl/1/2", OURS),
    ),
    "ElasticLoadBalancingV2::LoadBalancer": (
        ("elasticloadbalancing:CreateLoadBalancer", "loadbalancer/app/al-Fl/*", {}),
        ("elasticloadbalancing:AddTags", "loadbalancer/app/al-Fl/1",
         {"elasticloadbalancing__CreateAction": "CreateLoadBalancer"}),
        ("elasticloadbalancing:DeleteLoadBalancer", "loadbalancer/app/al-Fl/1", OURS),
    ),
    "ElasticLoadBalancingV2::TargetGroup": (
        ("elasticloadbalancing:CreateTargetGroup", "targetgroup/al-Fl/*", {}),
        ("elasticloadbalancing:ModifyTargetGroupAttributes", "targetgroup/al-Fl/1", OURS),
        ("elasticloadbalancing:RegisterTargets", "targetgroup/al-Fl/1", OURS),
        ("elasticloadbalancing:DeleteTargetGroup", "targetgroup/al-Fl/1", OURS),
    ),
    "IAM::Role": (
        ("iam:CreateRole", TASK_ROLE, BOUNDARY),
        ("iam:PutRolePolicy", TASK_ROLE, BOUNDARY),
        ("iam:AttachRolePolicy", TASK_ROLE, BOUNDARY),
        ("iam:DeleteRole", TASK_ROLE, {}),
    ),
    "Lambda::Permission": (
        ("lambda:AddPermission", "function:shop-dev:live", {"aws__ResourceTag/auto-lambda:app": "shop"}),
        ("lambda:RemovePermission", "function:shop-dev:live", {"aws__ResourceTag/auto-lambda:app": "shop"}),
    ),
    "Logs::LogGroup": (
        ("logs:CreateLogGroup", "log-group:/aws/lambda/shop-dev/fargate", {}),
        ("logs:PutRetentionPolicy", "log-group:/aws/lambda/shop-dev/fargate", {}),
        ("logs:DeleteLogGroup", "log-group:/aws/lambda/shop-dev/fargate", {}),
    ),
    "Route53::RecordSet": (("route53:ChangeResourceRecordSets", ZONE, CNAME),),
}  # fmt: skip


def test_every_type_of_a_flex_stack_can_be_made_and_deleted() -> None:
    made = [flex_template(with_settings(variant=variant)) for variant in ("dns", "standing-load-balancer")]
    kinds = {one["Type"].removeprefix("AWS::") for template in made for one in template["Resources"].values()}
    assert kinds == set(BY_TYPE)
    denied = [request for kind in kinds for request in BY_TYPE[kind] if not role_may(*request[:2], **request[2])]
    assert denied == []


def test_the_role_may_be_passed_by_the_name_that_the_pipeline_passes() -> None:
    assert ROLE.endswith(f":role/{FLEX_ROLE}")
    assert f":{TOPIC_OF_ALARMS}" in str(grants(Choice())["topics"])
