from __future__ import annotations

import copy
from typing import Any

import pytest
from flex_parts import PARTS, with_settings

from worker.bundle.flex.template import flex_template
from worker.deploy.flex.gate import TYPES, problems


def refusal(name: str, **changed: Any) -> list[str]:
    template = copy.deepcopy(flex_template(PARTS))
    template["Resources"][name]["Properties"].update(changed)
    return [str(one) for one in problems(template, PARTS)]


def test_what_we_write_passes() -> None:
    standing = with_settings(variant="standing-load-balancer")
    made = [flex_template(PARTS), flex_template(standing)]
    assert [list(problems(template, PARTS)) for template in made] == [[], []]
    assert {one["Type"] for template in made for one in template["Resources"].values()} == TYPES


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("TaskRole", {"PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("ExecutionRole", {"Path": "/"}),
        ("TaskRole", {"AssumeRolePolicyDocument": {"Statement": [{"Principal": "*", "Action": "sts:AssumeRole"}]}}),
        ("TaskDefinition", {"ContainerDefinitions": [{"Image": "evil.example/image"}]}),
        ("LambdaRecord", {"Name": "bank-prod.apps.example.com."}),
        ("FargateRecord", {"HostedZoneId": "Z999"}),
        ("TaskGroup", {"SecurityGroupIngress": [{"CidrIp": "0.0.0.0/0", "FromPort": 8080, "ToPort": 8080}]}),
        ("Logs", {"LogGroupName": "/aws/lambda/bank-prod"}),
        ("Logs", {"RetentionInDays": "{{resolve:ssm:/prod/password}}"}),
    ],
)
def test_what_reaches_out_of_the_app_is_refused(name: str, changed: dict[str, Any]) -> None:
    assert refusal(name, **changed)


@pytest.mark.parametrize(
    "changed", [{"FunctionName": "bank-prod"}, {"SourceArn": None}, {"SourceArn": "arn:aws:elasticloadbalancing:::x"}]
)
def test_only_load_balancers_of_the_account_call_the_function(changed: dict[str, Any]) -> None:
    template = flex_template(with_settings(variant="standing-load-balancer"))
    template["Resources"]["LambdaTargetPermission"]["Properties"].update(changed)
    assert list(problems(template, PARTS))


def test_a_type_that_nobody_expects_is_refused() -> None:
    template = copy.deepcopy(flex_template(PARTS))
    template["Resources"]["User"] = {"Type": "AWS::IAM::User", "Properties": {}}
    assert [str(one) for one in problems(template, PARTS)] == ["User: resources of type AWS::IAM::User are not allowed"]
