"""What a role may hold: the app's own, and what is granted."""

from __future__ import annotations

from typing import Any

import pytest
from drafts import resource

from auto_lambda.grants import Grants
from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.deploy.rights.decide import Rights
from worker.deploy.rights.permissions import permissions_of

HERE = Place("aws", "eu-central-1", "123456789012")
APP = App("prod", "shop")
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:/auto-lambda"
JOBS = "arn:aws:sqs:eu-central-1:123456789012:jobs"
ORDERS = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"


def template(action: Any, on: Any, **more: Any) -> Template:
    statement = {"Effect": "Allow", "Action": action, "Resource": on, **more}
    policies = [{"PolicyName": "it", "PolicyDocument": {"Statement": [statement]}}]
    return {
        "Resources": {
            "Role": resource("IAM::Role", Policies=policies),
            "App": resource("Lambda::Function", FunctionName="shop-prod", Role={"Fn::GetAtt": ["Role", "Arn"]}),
            "Table": resource("DynamoDB::Table"),
            "Jobs": resource("SQS::Queue"),
            "News": resource("SNS::Topic"),
            "Sockets": resource("ApiGatewayV2::Api"),
        }
    }


def allowed(action: Any, on: Any, grants: Grants | None = None, **more: Any) -> bool:
    made = template(action, on, **more)
    rights = Rights(APP, HERE, grants or Grants(), made)
    return all(rights.allow(permission) for permission in permissions_of(made, HERE))


@pytest.mark.parametrize(
    ("action", "on"),
    [
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/auto-lambda/prod/shop/key"),
        ("secretsmanager:GetSecretValue", f"{SECRET}/prod/shop/db-*"),
        ("dynamodb:PutItem", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("dynamodb:Query", {"Fn::Sub": "${Table.Arn}/index/*"}),
        ("dynamodb:GetItem", {"Fn::Sub": "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Table}"}),
        ("sqs:SendMessage", {"Fn::GetAtt": ["Jobs", "Arn"]}),
        ("sns:Publish", {"Ref": "News"}),
        ("lambda:InvokeFunction", {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:shop-prod:*"}),
        ("execute-api:ManageConnections",
         {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Sockets}/*/POST/@connections/*"}),
        ("logs:CreateLogStream", "arn:*:logs:eu-central-1:123456789012:log-group:/aws/lambda/shop-prod:*"),
        ("xray:PutTraceSegments", "*"),
        ("s3:GetObject", "arn:aws:s3:::al-shop-prod-123456789012/pictures/*"),
    ],
)  # fmt: skip
def test_what_is_the_apps_own_needs_no_grant(action: Any, on: Any) -> None:
    assert allowed(action, on)


@pytest.mark.parametrize(
    ("action", "on"),
    [
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/auto-lambda/prod/shop2/key"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/auto-lambda/prod/*"),
        ("secretsmanager:GetSecretValue", "*"),
        ("kms:Decrypt", "*"),
        ("kms:Decrypt", "arn:aws:kms:eu-central-1:123456789012:key/1"),
        ("sqs:SendMessage", JOBS),
        ("sqs:*", "*"),
        ("sqs:ReceiveMessage", "*"),
        ("logs:PutLogEvents", "arn:*:logs:*:*:*"),
        ("cloudwatch:PutMetricData", "*"),
        ("s3:GetObject", "arn:aws:s3:::al-shop-prod-999999999999/pictures/*"),
        ("s3:GetObject", "arn:aws:s3:::shop-prod-123456789012/*"),  # a tool's or another app's
        ("s3:GetObject", "arn:aws:s3:::al-shop-prod-123456789012-next-123456789012/*"),
        ("s3:GetObject", "arn:aws:s3:::*"),
        ("*", "*"),
        ("dynamodb:DeleteTable", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("dynamodb:GetItem", {"Fn::Sub": "${Table.Arn}*"}),
        ("dynamodb:GetItem", {"Fn::Sub": "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*${Table}"}),
        ("dynamodb:GetItem", {"Fn::Sub": "arn:aws:dynamodb:${AWS::Region}:999999999999:table/${Table}"}),
        ("dynamodb:GetItem", {"Fn::GetAtt": ["Jobs", "Arn"]}),
        ("lambda:InvokeFunction", {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:shop-prod2"}),
        ("lambda:InvokeFunction", {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:shop-prod*"}),
        ("logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:/auto-lambda/worker:*"),
        ("execute-api:ManageConnections", "arn:aws:execute-api:eu-central-1:123456789012:theirs/*/POST/@connections/*"),
        ("iam:PassRole", {"Fn::GetAtt": ["Role", "Arn"]}),
        ("sts:AssumeRole", "*"),
    ],
)  # fmt: skip
def test_what_is_not_needs_one(action: Any, on: Any) -> None:
    assert not allowed(action, on)


@pytest.mark.parametrize(
    ("grants", "action", "on"),
    [
        ({"queues": [JOBS]}, ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueAttributes"], JOBS),
        ({"tables": [ORDERS]}, ["dynamodb:PutItem", "dynamodb:Query"], [ORDERS, f"{ORDERS}/index/*"]),
        ({"statements": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::pictures/*"}]},
         "s3:GetObject", "arn:*:s3:::pictures/in/*"),
        ({"functions": ["arn:aws:lambda:eu-central-1:123456789012:function:mail-*"]},
         "lambda:InvokeFunction", "arn:aws:lambda:eu-central-1:123456789012:function:mail-prod"),
        ({"keys": ["arn:aws:kms:eu-central-1:123456789012:key/1"]}, "kms:Decrypt",
         "arn:aws:kms:eu-central-1:123456789012:key/1"),
    ],
)  # fmt: skip
def test_a_grant_covers_what_it_names_and_nothing_beside_it(grants: dict[str, Any], action: Any, on: Any) -> None:
    given_ = Grants.model_validate(grants)
    assert allowed(action, on, given_)
    assert not allowed(action, on)
    assert not allowed("sqs:DeleteQueue", JOBS, given_)
    assert not allowed(action, "*" if "s3" in str(action) else "arn:aws:s3:::x", given_)


def test_a_granted_condition_must_be_held_by_the_role() -> None:
    condition = {"StringEquals": {"elasticfilesystem:AccessPointArn": "arn:point"}}
    grants = Grants(file_systems=("arn:point",))
    assert allowed("elasticfilesystem:ClientMount", "*", grants, Condition=condition)
    assert not allowed("elasticfilesystem:ClientMount", "*", grants)


def test_denials_need_no_grant_and_exceptions_are_never_granted() -> None:
    grants = Grants(statements=({"Effect": "Allow", "Action": "*", "Resource": "*"},))
    made = template("s3:*", "*", Effect="Deny")
    assert all(Rights(APP, HERE, Grants(), made).allow(one) for one in permissions_of(made, HERE))
    made = template([], "*", NotAction="iam:*")
    assert not any(Rights(APP, HERE, grants, made).allow(one) for one in permissions_of(made, HERE))


def test_managed_policies_and_other_roles_are_granted_by_name() -> None:
    policy, role = "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:role/theirs"
    made = template([], [])
    made["Resources"]["Role"]["Properties"]["ManagedPolicyArns"] = [policy]
    made["Resources"]["App"]["Properties"]["Role"] = role
    asked = permissions_of(made, HERE)
    assert len(asked) == 2
    assert not any(Rights(APP, HERE, Grants(), made).allow(one) for one in asked)
    grants = Grants(managed_policies=(policy,), roles=(role,))
    assert all(Rights(APP, HERE, grants, made).allow(one) for one in asked)


@pytest.mark.parametrize(
    "more", [{}, {"StringLike": {"s3:prefix": "shop/*"}}, {"Bool": {"aws:SecureTransport": "true"}}], ids=str
)
def test_a_condition_on_the_account_is_a_condition_like_any_other(more: dict[str, Any]) -> None:
    condition = {"StringEquals": {"aws:ResourceAccount": "123456789012"}, **more}
    statement = {"Sid": "OwnBucket", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::shared/*"}
    grants = Grants.model_validate({"statements": [{**statement, "Condition": condition}]})
    assert allowed("s3:PutObject", "arn:aws:s3:::shared/*", grants, Condition=condition)
    assert not allowed("s3:PutObject", "arn:aws:s3:::shared/*", grants)
