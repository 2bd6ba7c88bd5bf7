"""What deployed apps may reach: the boundaries of the template, evaluated."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iam.evaluate import Document, Principal, Request, allowed, statements
from iam.handlers import VIA
from iam.template import ACCOUNT, PARTITION, REGION, PipelineStack

from auto_lambda.keys import App
from auto_lambda.namespace import APP_TAG, FLEX_TAG, STAGE_TAG, WIDE_ACTIONS, Place, namespace, namespace_boundary

STACK = PipelineStack()
PLACE = Place(PARTITION, REGION, ACCOUNT)
EVERYTHING: Document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
SHOP = App("dev", "shop")
FUNCTION = PLACE.arn("lambda", "function:shop-dev")
PARTS = ("UploadsBucket", "ArtifactsBucket", "Queue", "DeadLetterQueue", "LedgerTable", "AlarmTopic")
BOUNDARIES = ("NamespaceBoundary", "AppBoundary")


def role(app: App | None, boundary: str = "NamespaceBoundary", policy: Document = EVERYTHING) -> Principal:
    """A role of an app whose own policy allows everything, so that the boundary alone decides."""
    tags = {f"aws:PrincipalTag/{APP_TAG}": app.name, f"aws:PrincipalTag/{STAGE_TAG}": app.stage} if app else {}
    context = {**tags, "lambda:SourceFunctionArn": FUNCTION, "aws:ResourceAccount": ACCOUNT}
    return Principal(PLACE.arn("iam", "role/auto-lambda/r"), (policy,), STACK.document(boundary), context)


def asked(service: str, action: str, resource: str, **context: str) -> Request:
    arn = resource if resource.startswith(("arn:", "*")) else PLACE.arn(service, resource)
    return Request(f"{service}:{action}", arn, {key.replace("__", ":"): value for key, value in context.items()})


def tagged(app: App) -> dict[str, str]:
    """The tags that CloudFormation gives to everything in an app's stack."""
    return {f"aws:ResourceTag/{APP_TAG}": app.name, f"aws:ResourceTag/{STAGE_TAG}": app.stage}


def of(app: App) -> dict[str, Request]:
    """What an app uses of its own at run time, by what it is for."""
    path, names, mine = f"/auto-lambda/{app.stage}/{app.name}", f"{app.name}-{app.stage}", tagged(app)
    bucket = f"arn:aws:s3:::al-{names}-{ACCOUNT}"
    via = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
    return {
        "log group": asked("logs", "CreateLogGroup", f"log-group:/aws/lambda/{names}"),
        "log stream": asked("logs", "CreateLogStream", f"log-group:/aws/lambda/{names}:log-stream:"),
        "log lines": asked("logs", "PutLogEvents", f"log-group:/aws/lambda/{names}:log-stream:2026/11/28/[1]abc"),
        "log lines of a function that CloudFormation named": asked(
            "logs", "PutLogEvents", f"log-group:/aws/lambda/{names}/APIHandler:log-stream:x"
        ),
        "metrics": asked(
            "cloudwatch", "PutMetricData", "*", cloudwatch__namespace=f"auto-lambda/{app.stage}/{app.name}"
        ),
        "metrics below": asked(
            "cloudwatch", "PutMetricData", "*", cloudwatch__namespace=f"auto-lambda/{app.stage}/{app.name}/orders"
        ),
        "secret": asked("secretsmanager", "GetSecretValue", f"secret:{path}/database-AbCdEf"),
        "key of the secret": asked("kms", "Decrypt", "key/1", **via),
        "parameter": asked("ssm", "GetParameter", f"parameter{path}/level"),
        "parameters": asked("ssm", "GetParametersByPath", f"parameter{path}"),
        "zappa's tasks": asked("lambda", "InvokeFunction", f"function:{names}", **mine),
        "zappa's tasks by topic": asked("sns", "Publish", f"{names}-zappa-async", **mine),
        "zappa's table of answers": asked("dynamodb", "PutItem", "table/answers", **mine),
        "table": asked("dynamodb", "Query", "table/answers/index/x", **mine),
        "queue": asked("sqs", "SendMessage", f"al-{names}-Queue-1", **mine),
        "SQS trigger": asked("sqs", "ReceiveMessage", f"al-{names}-Queue-1", **mine),
        "object": asked("s3", "PutObject", f"{bucket}/a/b"),
        "objects": asked("s3", "ListBucket", bucket),
        "traces": asked("xray", "PutTraceSegments", "*"),
        "websocket": asked("execute-api", "ManageConnections", "a1b2c3/api/POST/@connections/x"),
    }


ANY = ("traces", "websocket", "key of the secret")
"""Services that have neither tags nor names for these: see docs/decisions/0008."""
OTHERS = {
    "another app": App("dev", "blog"),
    "its own other stage": App("prod", "shop"),
    "a name that continues": App("dev", "shop-b"),
    "a stage that continues": App("dev-b", "shop"),
    "the same hyphens": App("b-dev", "shop"),
}


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("use", of(SHOP))
def test_an_app_reaches_its_own(boundary: str, use: str) -> None:
    assert allowed(role(SHOP, boundary), of(SHOP)[use])


@pytest.mark.parametrize("other", OTHERS.values(), ids=list(OTHERS))
@pytest.mark.parametrize("use", [use for use in of(SHOP) if use not in ANY])
def test_no_app_reaches_what_is_another_ones(use: str, other: App) -> None:
    assert not allowed(role(SHOP), of(other)[use])
    assert not allowed(role(None), of(other)[use])


def test_a_parameter_that_is_named_like_the_path_is_not_the_apps() -> None:
    image = role(App("image", "arm64"))
    assert not allowed(image, asked("ssm", "GetParameter", "parameter/auto-lambda/image/arm64"))
    assert allowed(image, asked("ssm", "GetParametersByPath", "parameter/auto-lambda/image/arm64"))


def test_hyphens_do_not_lead_to_a_neighbour() -> None:
    """``a-b`` in ``c`` and ``a`` in ``b-c`` share the names of stack and function, so only one of them is ever live."""
    one, other = App("c", "a-b"), App("b-c", "a")
    assert one.stack == other.stack
    by_name = {"log group", "log stream", "log lines", "log lines of a function that CloudFormation named"}
    by_name |= {"object", "objects"}
    crossing = {use for use, request in of(other).items() if use not in ANY and allowed(role(one), request)}
    assert crossing == by_name


word = st.from_regex(r"[a-z0-9][a-z0-9-]{0,6}", fullmatch=True)


@given(word, word, word, word)
def test_apps_with_other_stacks_share_nothing(name: str, stage: str, others: str, other_stage: str) -> None:
    """Hyphens join names, so a longer name may begin with a shorter one."""
    one, other = App(stage, name), App(other_stage, others)
    if one.stack == other.stack:
        return
    crossing = {use for use, request in of(other).items() if use not in ANY and allowed(role(one), request)}
    assert crossing == set()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("part", PARTS)
def test_no_app_reaches_the_pipeline(boundary: str, part: str) -> None:
    service = STACK.arn(part).split(":")[2]
    for arn in (STACK.arn(part), f"{STACK.arn(part)}/apps/dev/shop.zip", f"{STACK.arn(part)}/index/recent"):
        if service in ("s3", "dynamodb") or arn == STACK.arn(part):
            for action in ("GetItem", "Query", "PutObject", "GetObject", "SendMessage", "Publish", "GetRecords"):
                assert not allowed(role(SHOP, boundary), Request(f"{service}:{action}", arn, tagged(SHOP)))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    "request_",
    [
        asked("cloudwatch", "PutMetricData", "*", cloudwatch__namespace="AutoLambda"),
        asked("cloudwatch", "PutMetricData", "*", cloudwatch__namespace="AutoLambda/Machines"),
        asked("logs", "PutLogEvents", "log-group:/auto-lambda/worker:log-stream:x"),
        asked("logs", "PutLogEvents", "log-group:/auto-lambda/checker:log-stream:x"),
        asked("ssm", "GetParametersByPath", "parameter/auto-lambda-fleet/auto-lambda/worker"),
        asked("ssm", "GetParameter", "parameter/auto-lambda-fleet/auto-lambda/worker/UV_INDEX_TEAM_PASSWORD"),
        asked("secretsmanager", "GetSecretValue", "secret:auto-lambda-fleet/auto-lambda/worker/packages-a1b2c3"),
        asked("sts", "AssumeRole", "arn:aws:iam::111122223333:role/auto-lambda/other"),
        asked("iam", "TagRole", "arn:aws:iam::111122223333:role/auto-lambda/r"),
        asked("iam", "PassRole", "arn:aws:iam::111122223333:role/auto-lambda/r"),
        asked("lambda", "UpdateFunctionCode", "function:shop-dev", **{"aws:ResourceTag/auto-lambda:app": "shop"}),
        asked("lambda", "TagResource", "function:shop-dev"),
        asked("cloudformation", "DescribeStacks", "stack/al-shop-dev/1"),
        asked("ec2", "DeleteNetworkInterface", "network-interface/eni-1"),
        asked("ec2", "DescribeNetworkInterfaces", "*"),
    ],
    ids=str,
)
def test_no_app_reaches_what_rules_it(boundary: str, request_: Request) -> None:
    assert not allowed(role(SHOP, boundary), request_)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_no_app_forges_the_pipelines_events(boundary: str) -> None:
    forged, own = (
        asked("events", "PutEvents", "event-bus/default", events__source=source) for source in ("auto-lambda", "shop")
    )
    assert not allowed(role(SHOP, boundary), forged)
    assert allowed(role(SHOP, boundary), own) is (boundary == "AppBoundary")


@pytest.mark.parametrize(
    ("app", "bucket"),
    [
        (App("artifacts", "auto-lambda"), STACK.arn("ArtifactsBucket").rpartition(":")[2]),
        (App("uploads", "auto-lambda"), STACK.arn("UploadsBucket").rpartition(":")[2]),
        (App("hnb659fds-assets", "cdk"), f"cdk-hnb659fds-assets-{ACCOUNT}-us-east-1"),
        (App("us-east-1", "sagemaker"), f"sagemaker-us-east-1-{ACCOUNT}"),
        (App("templates", "cf"), f"cf-templates-{ACCOUNT}"),
        (App("dev", "shop"), f"al-shop-dev-{ACCOUNT}-next-{ACCOUNT}"),  # of shop in the stage dev-<account>-next
    ],
)
def test_an_app_that_is_named_like_a_bucket_does_not_get_it(app: App, bucket: str) -> None:
    assert not allowed(role(app), asked("s3", "GetObject", f"arn:aws:s3:::{bucket}/grants/dev/shop.json"))
    assert not allowed(role(app), asked("s3", "ListBucket", f"arn:aws:s3:::{bucket}"))
    (statement,) = (it for it in namespace(app, PLACE)["Statement"] if it["Sid"] == "OwnBucket")
    assert not any(fnmatchcase(f"arn:aws:s3:::{bucket}/x", pattern) for pattern in statement["Resource"])


@pytest.mark.parametrize("arn", ["arn:aws:sqs:eu-west-1:999988887777:q", "arn:aws:sns:us-east-1:111122223333:t"])
def test_tags_count_in_this_account_and_region_only(arn: str) -> None:
    action = "sqs:SendMessage" if ":sqs:" in arn else "sns:Publish"
    assert not allowed(role(SHOP), Request(action, arn, tagged(SHOP)))


def test_keys_buckets_and_apis_of_other_accounts_are_out_of_reach() -> None:
    mine = of(SHOP)
    for one in (mine["key of the secret"], mine["websocket"]):
        foreign = Request(one.action, one.resource.replace(ACCOUNT, "999988887777"), one.context)
        assert not allowed(role(SHOP), foreign)
    thing = mine["object"]
    assert not allowed(role(SHOP), Request(thing.action, thing.resource, {"aws:ResourceAccount": "999988887777"}))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_another_metrics_namespace_is_denied_too(boundary: str) -> None:
    other = PipelineStack({"MetricsNamespace": "auto-lambda/dev/shop"})
    principal = replace(role(SHOP), boundary=other.document(boundary))
    request = asked("cloudwatch", "PutMetricData", "*", cloudwatch__namespace="auto-lambda/dev/shop")
    assert allowed(role(SHOP), request)
    assert not allowed(principal, request)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_lambda_itself_makes_network_interfaces_with_an_apps_role(boundary: str) -> None:
    principal = Principal("arn:aws:iam::111122223333:role/r", (EVERYTHING,), STACK.document(boundary))
    for action in ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface", "DescribeSubnets"):
        assert allowed(principal, asked("ec2", action, "*"))


# What settings ask for beyond the namespace. The wide boundary has room for it, so a grant can allow it.
@pytest.mark.parametrize(
    "request_",
    [
        asked("kinesis", "GetRecords", "stream/clicks"),
        asked("kinesis", "PutRecords", "stream/clicks"),
        asked("kinesis", "SubscribeToShard", "stream/clicks/consumer/c"),
        asked("dynamodb", "GetRecords", "table/orders/stream/2026"),
        asked("dynamodb", "ListStreams", "*"),
        asked("sqs", "ReceiveMessage", "orders"),
        asked("sqs", "SendMessage", "dead-letters"),
        asked("sns", "Publish", "alerts"),
        asked("s3", "GetObject", "arn:aws:s3:::settings/env.json"),
        asked("kms", "Decrypt", "key/1"),
        asked("elasticfilesystem", "ClientMount", "file-system/fs-1"),
        asked("elasticfilesystem", "ClientWrite", "file-system/fs-1"),
        asked("events", "PutEvents", "event-bus/default"),
        asked("execute-api", "Invoke", "a1b2/prod/GET/x"),
        asked("lambda", "InvokeFunction", "function:other"),
        asked("secretsmanager", "GetSecretValue", "secret:shared-AbCdEf"),
        asked("ssm", "GetParameter", "parameter/shared"),
        asked("states", "StartExecution", "stateMachine:s"),
        asked("ses", "SendEmail", "identity/example.com"),
    ],
    ids=str,
)
def test_what_only_a_grant_opens(request_: Request) -> None:
    assert not allowed(role(SHOP), request_)
    assert allowed(role(SHOP, "AppBoundary"), request_)


BANK = App("prod", "bank")
# By what it is: data and code of others in the account, which only grants open.
OF_OTHERS = {
    "secrets": asked("secretsmanager", "GetSecretValue", "secret:prod/database-AbCdEf"),
    "parameters": asked("ssm", "GetParameter", "parameter/prod/password"),
    "keys": asked("kms", "Decrypt", "key/1"),
    "objects": asked("s3", "GetObject", "arn:aws:s3:::bank-prod/accounts.csv"),
    "buckets": asked("s3", "ListBucket", "arn:aws:s3:::bank-prod"),
    "tables": asked("dynamodb", "GetItem", "table/accounts"),
    "tables of another app": asked("dynamodb", "PutItem", "table/al-bank-prod-Accounts-1", **tagged(BANK)),
    "queues": asked("sqs", "ReceiveMessage", "payments"),
    "code of functions": asked("lambda", "GetFunction", "function:payments"),
    "code of another app's functions": asked("lambda", "GetFunction", "function:bank-prod", **tagged(BANK)),
    "functions": asked("lambda", "InvokeFunction", "function:payments"),
    "another app's functions": asked("lambda", "InvokeFunction", "function:bank-prod", **tagged(BANK)),
    "records of streams": asked("kinesis", "GetRecords", "stream/payments"),
    "writing to streams": asked("kinesis", "PutRecord", "stream/payments"),
}
# What no grant opens either: the network, and what drives the pipeline.
OF_NOBODY = {
    "streams themselves": asked("kinesis", "DeleteStream", "stream/payments"),
    "policies of streams": asked("kinesis", "PutResourcePolicy", "stream/payments"),
    "network interfaces": asked("ec2", "DeleteNetworkInterface", "network-interface/eni-1"),
    "the ledger": asked("dynamodb", "Query", STACK.arn("LedgerTable")),
    "the ledger's index": asked("dynamodb", "Query", f"{STACK.arn('LedgerTable')}/index/recent"),
    "metrics that drive the fleet": asked("cloudwatch", "PutMetricData", "*", cloudwatch__namespace="AutoLambda"),
    "the log that alarms read": asked("logs", "PutLogEvents", "log-group:/auto-lambda/worker:log-stream:x"),
    "the topic of alarms": asked("sns", "Publish", STACK.arn("AlarmTopic")),
}


@pytest.mark.parametrize("thing", [*OF_OTHERS, *OF_NOBODY])
def test_an_app_whose_own_policy_allows_everything_reaches_nothing_of_the_account(thing: str) -> None:
    request = {**OF_OTHERS, **OF_NOBODY}[thing]
    assert allowed(replace(role(SHOP), boundary=None), request)
    assert not allowed(role(SHOP), request)


@pytest.mark.parametrize("thing", OF_NOBODY)
def test_what_no_app_reaches_is_out_of_reach_with_grants_too(thing: str) -> None:
    assert not allowed(role(SHOP, "AppBoundary"), OF_NOBODY[thing])


def test_who_opens_the_account_is_told_that_whoever_may_drop_may_read_it() -> None:
    told = STACK.template["Parameters"]["AppRights"]
    assert told["Default"] == "granted"
    assert "whoever may drop a zip may read it" in told["Description"]


def test_the_template_has_the_namespace_that_the_worker_judges_by() -> None:
    written = statements(STACK.document("NamespaceBoundary"))
    *own, for_tasks = written[: -len(never())]
    assert own == namespace_boundary(PLACE)["Statement"]
    assert for_tasks["Sid"] == "TaskArtifacts"
    assert written[-len(never()) :] == statements(STACK.document("AppBoundary"))[-len(never()) :]


def task(boundary: str) -> Principal:
    """The role of an app's tasks on Fargate: its code has no function that it comes from."""
    principal = role(SHOP, boundary)
    context = {name: value for name, value in principal.context.items() if name != "lambda:SourceFunctionArn"}
    return replace(principal, context={**context, f"aws:PrincipalTag/{FLEX_TAG}": "1"})


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_tasks_read_code_and_layers_and_functions_do_not(boundary: str) -> None:
    artifacts = STACK.arn("ArtifactsBucket")
    for key in ("bundles/x.zip", "layers/x.zip", "entrypoints/x.zip"):
        assert allowed(task(boundary), asked("s3", "GetObject", f"{artifacts}/{key}"))
        assert not allowed(role(SHOP, boundary), asked("s3", "GetObject", f"{artifacts}/{key}"))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("GetObject", "bundles/x.template.json"), ("GetObject", "bundles/x.lock.txt"), ("GetObject", "wheels/x/y.whl"),
        ("GetObject", "grants/dev/shop.json"), ("PutObject", "bundles/x.zip"), ("DeleteObject", "layers/x.zip"),
        ("GetObjectVersion", "bundles/x.zip"),
    ],
)  # fmt: skip
def test_tasks_reach_nothing_else_of_the_pipelines(boundary: str, action: str, key: str) -> None:
    assert not allowed(task(boundary), asked("s3", action, f"{STACK.arn('ArtifactsBucket')}/{key}"))
    assert not allowed(task(boundary), asked("s3", "ListBucket", STACK.arn("ArtifactsBucket")))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_code_of_tasks_makes_no_network_interfaces(boundary: str) -> None:
    assert not allowed(task(boundary), asked("ec2", "CreateNetworkInterface", "*"))


def never() -> list[Any]:
    return [one for one in statements(STACK.document("NamespaceBoundary")) if one["Effect"] == "Deny"]


@pytest.mark.parametrize("use", of(SHOP))
@pytest.mark.parametrize("other", [SHOP, *OTHERS.values()], ids=str)
def test_by_names_and_by_tags_the_namespace_is_the_same(use: str, other: App) -> None:
    by_names = role(SHOP, "AppBoundary", namespace(SHOP, PLACE))
    assert allowed(by_names, of(other)[use]) == allowed(role(SHOP), of(other)[use])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "NamespaceBoundary"),
        ({"AppRights": "account"}, "AppBoundary"),
        ({"AppRights": "granted", "AppBoundaryArn": "arn:aws:iam::111122223333:policy/ours"}, None),
        ({"AppRights": "account", "AppBoundaryArn": "arn:aws:iam::111122223333:policy/ours"}, None),
    ],
)
def test_the_parameters_choose_the_boundary_of_every_app(parameters: dict[str, str], expected: str | None) -> None:
    stack = PipelineStack(parameters)
    assert stack.output("BoundaryArn") == (stack.arn(expected) if expected else parameters["AppBoundaryArn"])
    wide = parameters.get("AppBoundaryArn", stack.arn("AppBoundary"))
    assert stack.output("GrantedBoundaryArn") == wide  # no grant leads beyond a boundary of the operator's
    assert stack.output("AppRights") == parameters.get("AppRights", "granted")
    told = stack.worker_environment()
    assert told["AUTO_LAMBDA_BOUNDARY_ARN"] == stack.output("BoundaryArn")
    assert told["AUTO_LAMBDA_GRANTED_BOUNDARY_ARN"] == stack.output("GrantedBoundaryArn")
    assert told["AUTO_LAMBDA_APP_RIGHTS"] == stack.output("AppRights")
    assert told["AUTO_LAMBDA_PLATFORM_BOUNDARY_ARN"] == ""


def test_a_boundary_outlives_its_pipeline() -> None:
    """Apps outlive the pipeline, and a role whose boundary is gone can do nothing."""
    for name in BOUNDARIES:
        assert STACK.template["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert STACK.template["Resources"][name]["UpdateReplacePolicy"] == "Retain"


def test_the_wide_boundary_allows_what_apps_are_told() -> None:
    services = next(one for one in statements(STACK.document("AppBoundary")) if one["Sid"] == "AppServices")
    assert tuple(services["Action"]) == WIDE_ACTIONS


def test_a_boundary_keeps_its_description_and_what_has_been_replaced_is_known() -> None:
    """Another description, or a name, makes another policy; roles would keep the old one, which nobody could change."""
    told = {name: STACK.template["Resources"][name]["Properties"] for name in BOUNDARIES}
    assert {name: (it["Description"], "ManagedPolicyName" in it) for name, it in told.items()} == {
        "NamespaceBoundary": ("Permissions boundary of apps deployed by Auto-Lambda, the namespace of each", False),
        "AppBoundary": ("Permissions boundary of apps deployed by Auto-Lambda", False),
    }
    for name in BOUNDARIES:
        assert STACK.template["Resources"][name]["UpdateReplacePolicy"] == "Retain"
        before = STACK.arn(name).replace("1ABCDEFGHIJKL", "0OLDERPOLICY0")
        context = {**VIA, "iam:PermissionsBoundary": before}
        request_ = Request("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/al-shop-dev-Role-1", context)
        assert allowed(STACK.role("WorkerRole"), request_)
