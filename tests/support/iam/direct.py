"""Who calls which operation of AWS directly, and the requests that IAM sees of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

from iam.conditions import Context
from iam.evaluate import Request
from iam.handlers import TAGS
from iam.template import ACCOUNT, REGION, PipelineStack

Operation = tuple[str, str]
Asks = Callable[[Operation], list[Request]]


class Who(enum.Enum):
    """Whose credentials a program uses."""

    WORKER = "the worker's role"
    CHECKER = "the checker's role"
    IMAGE = "those of whoever builds an image, who has the policy of docs/how-to/build-the-image.md"
    PERSON = "those of whoever runs a command"


_STACK = PipelineStack()
_HERE = f"{REGION}:{ACCOUNT}"
_UPLOADS, _ARTIFACTS = _STACK.arn("UploadsBucket"), _STACK.arn("ArtifactsBucket")
_ZIP, _RECEIPT, _LOG = (f"{_UPLOADS}/apps/dev/shop{end}" for end in (".zip", ".receipt.json", ".log"))
_BESIDE_MISNAMED = tuple(f"{_UPLOADS}/shop{end}" for end in (".receipt.json", ".log"))
_STORED = tuple(
    f"{_ARTIFACTS}/{key}" for key in ("bundles/x.zip", "layers/x.zip", "entrypoints/x.zip", "wheels/k/record.json")
)
_COLLECTED = _STORED[:2]
_QUEUE, _DEAD, _TABLE = _STACK.arn("Queue"), _STACK.arn("DeadLetterQueue"), _STACK.arn("LedgerTable")
_GROUP = f"arn:aws:autoscaling:{_HERE}:autoScalingGroup:1:autoScalingGroupName/{_STACK.name('WorkerGroup')}"
_APP_STACK = f"arn:aws:cloudformation:{_HERE}:stack/al-shop-dev/1"
_FLEX_STACK = f"arn:aws:cloudformation:{_HERE}:stack/al-Flex-shop-dev/1"
_FLEX_ROLE = f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/flex/flex-stacks"
_CHANGES = f"arn:aws:cloudformation:{_HERE}:changeSet/al-0123456789abcdef-changes/1"
_ORDERS = f"arn:aws:sqs:{_HERE}:orders"
_BUS = f"arn:aws:events:{_HERE}:event-bus/default"
_FUNCTION = f"arn:aws:lambda:{_HERE}:function:shop-dev"
_LAYER = f"arn:aws:lambda:{_HERE}:layer:al-shop-dev"
_TEMPLATE = f"https://s3.{REGION}.amazonaws.com/{_STACK.name('ArtifactsBucket')}/bundles/x.template.json"
_SETTINGS = {
    "path": f"arn:aws:ssm:{_HERE}:parameter/auto-lambda-fleet/auto-lambda/worker",
    "checker path": f"arn:aws:ssm:{_HERE}:parameter/auto-lambda-fleet/auto-lambda/checker",
    "secret": f"arn:aws:secretsmanager:{_HERE}:secret:auto-lambda-fleet/auto-lambda/worker/packages-a1b2c3",
    "checker secret": f"arn:aws:secretsmanager:{_HERE}:secret:auto-lambda-fleet/auto-lambda/checker/x-a1b2c3",
}
_ACCOUNT: Context = {"aws:ResourceAccount": ACCOUNT}

_ACTIONS: Mapping[Operation, tuple[str, ...]] = {
    ("dynamodb", "TransactWriteItems"): ("dynamodb:PutItem", "dynamodb:DeleteItem"),
    ("apigateway", "GetDomainName"): ("apigateway:GET",),
    ("lambda", "Invoke"): ("lambda:InvokeFunction",),
    ("s3", "CopyObject"): ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
    ("s3", "GetBucketNotificationConfiguration"): ("s3:GetBucketNotification",),
    ("s3", "CompleteMultipartUpload"): ("s3:PutObject",),
    ("s3", "CreateMultipartUpload"): ("s3:PutObject",),
    ("s3", "UploadPart"): ("s3:PutObject",),
    ("s3", "HeadBucket"): ("s3:ListBucket",),
    ("s3", "HeadObject"): ("s3:GetObject",),
    ("s3", "ListObjectsV2"): ("s3:ListBucket",),
    ("s3", "ListObjectVersions"): ("s3:ListBucketVersions",),
    ("s3", "PutBucketNotificationConfiguration"): ("s3:PutBucketNotification",),
    ("sqs", "DeleteMessageBatch"): ("sqs:DeleteMessage",),
}


def actions(operation: Operation) -> tuple[str, ...]:
    """Return the actions that allow an operation."""
    return _ACTIONS.get(operation, (":".join(operation),))


def on(*resources: str, context: Context | None = None, more: tuple[str, ...] = ()) -> Asks:
    """Ask for an operation's actions, and ``more``, on each of the resources."""
    return lambda operation: [
        Request(action, resource, context or {})
        for resource in resources
        for action in (*actions(operation), *(f"{operation[0]}:{one}" for one in more))
    ]


ANYTHING = on("*")
_W, _C, _I, _P = Who.WORKER, Who.CHECKER, Who.IMAGE, Who.PERSON
_STACK_CALLS: Mapping[Who, Asks] = {_W: on(_APP_STACK)}
_CHANGE_CALLS: Mapping[Who, Asks] = {_W: on(_APP_STACK, _CHANGES)}
_UNTAGGED_OR_OURS: Asks = lambda operation: [  # noqa: E731
    *on(_FUNCTION, f"{_FUNCTION}:live", f"{_FUNCTION}:7", context=TAGS)(operation),
    *on(_FUNCTION)(operation),  # deleted by hand
]
_OURS = {_W: on(_FUNCTION, f"{_FUNCTION}:live", context=TAGS)}

CALLS: Mapping[Operation, Mapping[Who, Asks]] = {
    ("apigateway", "GetDomainName"): {_W: on(f"arn:aws:apigateway:{REGION}::/domainnames/shop-dev.apps.example.com")},
    ("apigateway", "GetRestApis"): {_P: ANYTHING},
    ("autoscaling", "CompleteLifecycleAction"): {_W: on(_GROUP)},
    ("autoscaling", "DescribeAutoScalingGroups"): {_W: ANYTHING, _C: ANYTHING},
    ("autoscaling", "DescribeAutoScalingInstances"): {_W: ANYTHING},
    ("autoscaling", "DescribeLifecycleHooks"): {_W: ANYTHING},
    ("autoscaling", "RecordLifecycleActionHeartbeat"): {_W: on(_GROUP)},
    ("autoscaling", "SetInstanceHealth"): {_W: on(_GROUP), _C: on(_GROUP.replace("-workers", "-checker"))},
    ("autoscaling", "SetInstanceProtection"): {_W: on(_GROUP)},
    ("autoscaling", "DescribeInstanceRefreshes"): {_P: ANYTHING},
    ("autoscaling", "StartInstanceRefresh"): {_P: ANYTHING},
    ("autoscaling", "UpdateAutoScalingGroup"): {_P: ANYTHING},
    ("autoscaling", "SuspendProcesses"): {_C: on(_GROUP)},
    ("autoscaling", "TerminateInstanceInAutoScalingGroup"): {_W: on(_GROUP)},
    ("cloudformation", "ContinueUpdateRollback"): _STACK_CALLS,
    # The tags of the stack are part of the request.
    ("cloudformation", "CreateChangeSet"): {
        _W: lambda operation: [
            *on(_APP_STACK, context={"cloudformation:TemplateUrl": _TEMPLATE}, more=("TagResource", "UntagResource"))(
                operation
            ),
            Request(
                "cloudformation:CreateChangeSet",
                _FLEX_STACK,
                {"cloudformation:TemplateUrl": _TEMPLATE, "cloudformation:RoleArn": _FLEX_ROLE},
            ),
            Request("iam:PassRole", _FLEX_ROLE, {"iam:PassedToService": "cloudformation.amazonaws.com"}),
        ]
    },
    ("cloudformation", "DeleteChangeSet"): _CHANGE_CALLS,
    ("cloudformation", "DeleteStack"): _STACK_CALLS,
    ("cloudformation", "DescribeChangeSet"): _CHANGE_CALLS,
    ("cloudformation", "DescribeEvents"): _CHANGE_CALLS,
    ("cloudformation", "DescribeStackEvents"): _STACK_CALLS,
    ("cloudformation", "DescribeStacks"): {**_STACK_CALLS, _P: ANYTHING},
    ("cloudformation", "ExecuteChangeSet"): _CHANGE_CALLS,
    ("cloudformation", "GetTemplate"): {**_STACK_CALLS, _P: ANYTHING},
    ("cloudformation", "ListStackResources"): _STACK_CALLS,
    ("cloudformation", "UpdateStack"): {_P: ANYTHING},
    ("cloudwatch", "DescribeAlarms"): {_W: ANYTHING},
    ("cloudwatch", "GetMetricData"): {_W: ANYTHING, _P: ANYTHING},
    ("cloudwatch", "GetMetricStatistics"): {_P: ANYTHING},
    ("cloudwatch", "PutMetricData"): {_C: on("*", context={"cloudwatch:namespace": "AutoLambda"})},
    ("dynamodb", "BatchGetItem"): {_W: on(_TABLE)},
    ("dynamodb", "DescribeTable"): {_W: on(_TABLE, f"arn:aws:dynamodb:{_HERE}:table/orders")},
    ("dynamodb", "PutItem"): {_W: on(_TABLE)},
    ("dynamodb", "Query"): {_W: on(_TABLE), _C: on(f"{_TABLE}/index/recent")},
    ("dynamodb", "Scan"): {_W: on(_TABLE), _P: ANYTHING},
    ("dynamodb", "TransactWriteItems"): {_W: on(_TABLE)},
    ("ec2", "CreateKeyPair"): {_I: ANYTHING},
    ("ec2", "DeleteKeyPair"): {_I: ANYTHING},
    ("ec2", "DescribeImages"): {_I: ANYTHING},
    ("ec2", "ModifyImageAttribute"): {_I: ANYTHING},
    ("ec2", "DescribeSecurityGroups"): {_W: ANYTHING},
    ("ec2", "DescribeSubnets"): {_W: ANYTHING},
    ("ec2", "DescribeVpcs"): {_P: ANYTHING},
    ("kinesis", "DescribeStreamSummary"): {_W: on(f"arn:aws:kinesis:{_HERE}:stream/clicks")},
    ("events", "DescribeEventBus"): {_W: on(_BUS)},
    ("events", "PutEvents"): {_W: on(_BUS, context={"events:source": "auto-lambda"})},
    ("lambda", "DeleteFunction"): {_W: on(f"{_FUNCTION}:7", context=TAGS)},
    ("lambda", "DeleteLayerVersion"): {_W: on(f"{_LAYER}:3")},
    ("lambda", "GetAccountSettings"): {_P: ANYTHING},
    ("lambda", "GetAlias"): {_W: _UNTAGGED_OR_OURS},
    ("lambda", "GetFunction"): _OURS,
    ("lambda", "GetFunctionConfiguration"): {_W: _UNTAGGED_OR_OURS},
    ("lambda", "Invoke"): {_W: on(_FUNCTION, f"{_FUNCTION}:live", f"{_FUNCTION}:7", context=TAGS)},
    ("lambda", "ListAliases"): {_W: on(_FUNCTION, context=TAGS)},
    ("lambda", "ListLayerVersions"): {_W: on(_LAYER)},
    ("lambda", "ListVersionsByFunction"): {_W: on(_FUNCTION, context=TAGS)},
    ("lambda", "PublishVersion"): _OURS,
    ("lambda", "UpdateAlias"): _OURS,
    ("lambda", "UpdateFunctionCode"): _OURS,
    # Lambda looks with the caller's rights at the network and the layers that the configuration names.
    ("lambda", "UpdateFunctionConfiguration"): {
        _W: lambda operation: [
            *_OURS[_W](operation),
            Request("lambda:GetLayerVersion", f"arn:aws:lambda:{REGION}:999988887777:layer:tools:1"),
            *(Request(f"ec2:Describe{what}", "*") for what in ("SecurityGroups", "Subnets", "Vpcs")),
        ]
    },
    ("logs", "DescribeLogGroups"): {_W: on(f"arn:aws:logs:{_HERE}:log-group:*")},
    ("logs", "FilterLogEvents"): {
        _W: on(f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/shop-dev/Work:*", context=TAGS),
        _P: ANYTHING,
    },
    ("s3", "AbortMultipartUpload"): {_W: on(*_STORED), _P: on(_ZIP)},
    ("s3", "CompleteMultipartUpload"): {_P: on(_ZIP)},
    ("s3", "CopyObject"): {_P: on(_ZIP)},
    ("s3", "CreateBucket"): {_P: ANYTHING},
    ("s3", "CreateMultipartUpload"): {_P: on(_ZIP)},
    ("s3", "DeleteObject"): {_W: on(*_COLLECTED), _P: on(_ZIP)},
    ("s3", "GetBucketNotificationConfiguration"): {_W: on("arn:aws:s3:::pictures", _UPLOADS, context=_ACCOUNT)},
    ("s3", "GetBucketVersioning"): {_W: on(_UPLOADS)},
    ("s3", "GetObject"): {
        _W: lambda operation: [
            *on(*_STORED, f"{_ARTIFACTS}/grants/dev/shop.json")(operation),
            *on(_ZIP, more=("GetObjectVersion",))(operation),
        ],
        _P: on(_RECEIPT),
    },
    ("s3", "HeadBucket"): {_W: on(_UPLOADS, _ARTIFACTS)},
    ("s3", "HeadObject"): {_W: on(_ZIP, *_STORED), _P: on(_ZIP)},
    ("s3", "ListObjectVersions"): {_P: ANYTHING},
    ("s3", "ListObjectsV2"): {_W: on(_UPLOADS), _P: on(_UPLOADS)},
    ("s3", "PutBucketNotificationConfiguration"): {_W: on("arn:aws:s3:::pictures", context=_ACCOUNT)},
    ("s3", "PutBucketTagging"): {_P: ANYTHING},
    ("s3", "PutPublicAccessBlock"): {_P: ANYTHING},
    ("s3", "PutObject"): {_W: on(_RECEIPT, _LOG, *_BESIDE_MISNAMED, *_STORED), _P: on(_ZIP)},
    ("s3", "UploadPart"): {_P: on(_ZIP)},
    ("secretsmanager", "GetSecretValue"): {_W: on(_SETTINGS["secret"]), _C: on(_SETTINGS["checker secret"])},
    ("sqs", "ChangeMessageVisibility"): {_W: on(_QUEUE)},
    ("sqs", "DeleteMessage"): {_W: on(_QUEUE)},
    ("sqs", "DeleteMessageBatch"): {_W: on(_QUEUE)},
    ("service-quotas", "GetServiceQuota"): {_P: ANYTHING},
    ("sns", "GetTopicAttributes"): {_W: on(f"arn:aws:sns:{_HERE}:news")},
    ("sqs", "GetQueueAttributes"): {_W: on(_QUEUE, _DEAD, _ORDERS), _C: on(_QUEUE, _DEAD)},
    ("sqs", "GetQueueUrl"): {_W: on(_ORDERS)},
    ("sqs", "ReceiveMessage"): {_W: on(_QUEUE), _P: on(_DEAD)},
    ("sqs", "SendMessage"): {_W: on(_QUEUE, _DEAD), _P: on(_QUEUE)},
    ("ssm", "GetParameter"): {
        _I: on(
            f"arn:aws:ssm:{REGION}::parameter/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            f"arn:aws:ssm:{_HERE}:parameter/auto-lambda/image/x86_64",
        )
    },
    ("ssm", "DeleteParameters"): {_P: ANYTHING},
    ("ssm", "DescribeParameters"): {_W: ANYTHING},
    ("ssm", "GetParametersByPath"): {_W: on(_SETTINGS["path"]), _C: on(_SETTINGS["checker path"])},
    ("ssm", "PutParameter"): {_I: on(f"arn:aws:ssm:{_HERE}:parameter/auto-lambda/image/x86_64")},
    ("sts", "GetCallerIdentity"): {_P: ANYTHING},
}
"""Who calls an operation. The role's own programs are evaluated; a person's rights are for that person's policies."""
