"""The namespace of an app as an IAM policy: what its roles may reach without a grant.

One text for two uses. With policy variables in place of the names it is the permissions boundary in
``infra/core.yaml``, which a test compares with it; with the names of an app it is what the app's own policies may
hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda.keys import App

APP_TAG, STAGE_TAG = "auto-lambda:app", "auto-lambda:stage"
PIPELINE_TAG = "auto-lambda:pipeline"
"""Tags of a stack, which CloudFormation copies to its roles and to everything else in it that can have tags."""

DEFAULT_PIPELINE = "auto-lambda"
"""The name of a pipeline that was given none."""

FLEX_TAG = "auto-lambda:flex"
"""Tag of a stack of what an app needs on Fargate, and so of the roles of its tasks."""

BY_LAMBDA_ONLY: Mapping[str, Any] = {
    "Null": {"lambda:SourceFunctionArn": "true", f"aws:PrincipalTag/{FLEX_TAG}": "true"}
}
"""A condition that requests of an app's code never meet, but those that Lambda itself makes for networks do.

https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
"""

Statement = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pipeline is."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource here."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def configuration_path(app: App) -> str:
    """Return the path of an app's configuration in Parameter Store, below its own: what it keeps beside is its own."""
    return f"/auto-lambda/{app.stage}/{app.name}/config"


TABLE_ACTIONS = (
    "dynamodb:*Item", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:PartiQL*",
    "dynamodb:Query", "dynamodb:Scan",
)  # fmt: skip
TOPIC_ACTIONS = ("sns:GetTopicAttributes", "sns:Publish")
QUEUE_ACTIONS = ("sqs:*Message", "sqs:ChangeMessageVisibility", "sqs:GetQueue*")
"""What an app does with tables, topics and queues: with its own, and with those that it is granted."""


WIDE_ACTIONS = (
    "cloudwatch:PutMetricData",
    "dynamodb:*Item",
    "dynamodb:Describe*",
    "dynamodb:Get*",
    "dynamodb:List*",
    "dynamodb:PartiQL*",
    "dynamodb:Query",
    "dynamodb:Scan",
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientWrite",
    "events:PutEvents",
    "execute-api:*",
    "kinesis:Describe*",
    "kinesis:Get*",
    "kinesis:List*",
    "kinesis:PutRecord*",
    "kinesis:SubscribeToShard",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "lambda:GetFunction*",
    "lambda:InvokeFunction*",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "rds-data:*",
    "s3:*Object*",
    "s3:GetBucketLocation",
    "s3:ListBucket*",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "ses:Send*",
    "sns:Get*",
    "sns:List*",
    "sns:Publish",
    "sqs:*Message*",
    "sqs:GetQueue*",
    "ssm:GetParameter*",
    "states:Send*",
    "states:StartExecution",
    "states:StartSyncExecution",
    "xray:Put*",
)
"""What the pipeline's wide boundary allows, on every resource but the pipeline's own; a test compares the two.

It is the boundary of apps with granted statements, and of every app of a pipeline that is open to the account.
"""


def listed(value: Any) -> list[Any]:
    """Return a list of what a policy may write as one value or as a list."""
    return value if isinstance(value, list) else [value]


def namespace(app: App, place: Place) -> dict[str, Any]:
    """Return the policy of one app's namespace, by its names."""
    return _document(app.name, app.stage, place)


def namespace_boundary(place: Place) -> dict[str, Any]:
    """Return the policy of the namespace of whoever has the tags: the boundary of every app."""
    return _document(f"${{aws:PrincipalTag/{APP_TAG}}}", f"${{aws:PrincipalTag/{STAGE_TAG}}}", place)


def _document(name: str, stage: str, place: Place) -> dict[str, Any]:
    statements = (
        _logs(name, stage, place),
        _metrics(name, stage),
        _tagged(name, stage, place),
        _secrets(name, stage, place),
        _path(name, stage, place),
        _keys_of_secrets(place),
        _buckets(name, stage, place),
        _allow("OwnConnections", ["execute-api:ManageConnections"], place.arn("execute-api", "*")),
        _allow("Traces", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
        _allow("NetworkByLambda", NETWORK_ACTIONS, "*", BY_LAMBDA_ONLY),
    )
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resource: Any, condition: Statement | None = None) -> Statement:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


NETWORK_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


def _logs(name: str, stage: str, place: Place) -> Statement:
    """Log groups of the functions: that of one with the app's name, and those that `worker.bundle.publish` names."""
    groups = (f"{name}-{stage}", f"{name}-{stage}:*", f"{name}-{stage}/*")
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    return _allow("OwnLogs", actions, [place.arn("logs", f"log-group:/aws/lambda/{group}") for group in groups])


def _metrics(name: str, stage: str) -> Statement:
    own = f"auto-lambda/{stage}/{name}"
    condition = {"StringLike": {"cloudwatch:namespace": [own, f"{own}/*"]}}
    return _allow("OwnMetrics", ["cloudwatch:PutMetricData"], "*", condition)


def _tagged(name: str, stage: str, place: Place) -> Statement:
    actions = [*TABLE_ACTIONS, "lambda:GetFunction*", "lambda:InvokeFunction*", *TOPIC_ACTIONS, *QUEUE_ACTIONS]
    resources = [
        place.arn(service, resource)
        for service, resource in (("dynamodb", "table/*"), ("lambda", "function:*"), ("sns", "*"), ("sqs", "*"))
    ]
    condition = {"StringEquals": {f"aws:ResourceTag/{APP_TAG}": name, f"aws:ResourceTag/{STAGE_TAG}": stage}}
    return _allow("OwnResources", actions, resources, condition)


def _secrets(name: str, stage: str, place: Place) -> Statement:
    own = f"/auto-lambda/{stage}/{name}"
    actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "ssm:GetParameter*"]
    resources = [place.arn("secretsmanager", f"secret:{own}/*"), place.arn("ssm", f"parameter{own}/*")]
    return _allow("OwnSecrets", actions, resources)


def _path(name: str, stage: str, place: Place) -> Statement:
    """The path itself, which is what `GetParametersByPath` asks for; a parameter of that name is nobody's."""
    path = place.arn("ssm", f"parameter/auto-lambda/{stage}/{name}")
    return _allow("OwnPath", ["ssm:GetParametersByPath"], path)


def _keys_of_secrets(place: Place) -> Statement:
    services = [f"{service}.{place.region}.amazonaws.com" for service in ("secretsmanager", "ssm")]
    condition = {"StringEquals": {"kms:ViaService": services}}
    return _allow("KeysOfOwnSecrets", ["kms:Decrypt"], place.arn("kms", "key/*"), condition)


def _buckets(name: str, stage: str, place: Place) -> Statement:
    """The app's one bucket, by its name: buckets of the pipeline, of tools and of other apps have other endings.

    Only one of ``a-b`` in ``c`` and ``a`` in ``b-c`` can be live, as their stacks have the same name.
    """
    actions = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject*",
        "s3:GetBucketLocation",
        "s3:GetObject*",
        "s3:ListBucket*",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "s3:PutObjectTagging",
    ]
    own = f"arn:{place.partition}:s3:::al-{name}-{stage}-{place.account}"
    condition = {"StringEquals": {"aws:ResourceAccount": place.account}}
    return _allow("OwnBucket", actions, [own, f"{own}/*"], condition)
