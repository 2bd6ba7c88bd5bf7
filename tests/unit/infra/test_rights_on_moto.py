"""A second opinion on the template's rights: moto reads policies as strictly as IAM, the embedded AWS does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pipeline_template import read_template

PSEUDO = {"Partition": "aws", "AccountId": "123456789012", "Region": "eu-west-1", "URLSuffix": "amazonaws.com"}


def named(reference: str) -> str:
    """What stands for a reference inside a text."""
    if reference.endswith(".Arn"):
        return "arn:aws:s3:::name"
    return PSEUDO.get(reference.removeprefix("AWS::"), "name")


def resolved(value: Any) -> Any:
    """CloudFormation's functions replaced by values of the right form."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: named(found[1]), text)
        case {"Fn::GetAtt": [name, *_]}:
            return f"arn:aws:sqs:eu-west-1:123456789012:{name}"
        case {"Ref": str(name)}:
            return PSEUDO.get(name.removeprefix("AWS::"), f"arn:aws:iam::123456789012:policy/{name}")
        case {"Fn::If": [_, yes, _]}:
            return resolved(yes)
        case dict():
            return {key: resolved(item) for key, item in value.items()}
        case list():
            return [resolved(item) for item in value]
    return value


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    template = read_template()
    found: dict[str, Any] = template["Resources"]
    return found


@pytest.fixture
def iam() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("iam", "us-east-1", aws_access_key_id="x", aws_secret_access_key="y")


def test_each_managed_policy_is_one_to_iam(resources: dict[str, Any], iam: Any) -> None:
    policies = {name: it["Properties"] for name, it in resources.items() if it["Type"] == "AWS::IAM::ManagedPolicy"}
    assert policies
    for name, properties in policies.items():
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(resolved(properties["PolicyDocument"])))


def test_each_role_and_its_policies_are_ones_to_iam(resources: dict[str, Any], iam: Any) -> None:
    roles = {name: it["Properties"] for name, it in resources.items() if it["Type"] == "AWS::IAM::Role"}
    assert {"WorkerRole", "CheckerRole"} <= set(roles)
    for name, properties in roles.items():
        trust = json.dumps(resolved(properties["AssumeRolePolicyDocument"]))
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        for policy in properties.get("Policies", []):
            document = json.dumps(resolved(policy["PolicyDocument"]))
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)


def test_this_opinion_can_be_a_no(iam: Any) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3 Get", "Resource": "*"}]}
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        iam.create_policy(PolicyName="wrong", PolicyDocument=json.dumps(document))
