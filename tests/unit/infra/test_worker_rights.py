"""What a worker may not do, not even a compromised one: the policies of its role, evaluated."""

from __future__ import annotations

import json
from dataclasses import replace

import boto3
import pytest
from iam.conditions import Context
from iam.evaluate import Decision, Principal, Request, allowed, decide
from iam.handlers import DOMAIN
from iam.template import ACCOUNT, REGION, PipelineStack

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.namespace import APP_TAG, PIPELINE_TAG, STAGE_TAG

STACK = PipelineStack()
WORKER = STACK.role("WorkerRole")
VIA: Context = {"aws:CalledVia": ("cloudformation.amazonaws.com",)}
APP: Context = {f"aws:ResourceTag/{APP_TAG}": "shop", f"aws:ResourceTag/{STAGE_TAG}": "dev"}
OUR_STACK: Context = {"aws:ResourceTag/aws:cloudformation:stack-name": "al-shop-dev"}
FOREIGN_STACK: Context = {"aws:ResourceTag/aws:cloudformation:stack-name": "billing"}
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop-dev"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/al-shop-dev-Role-1"
SHOP_STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/al-shop-dev/1"
ARTIFACTS = STACK.arn("ArtifactsBucket")
SOMEBODY = Principal(
    f"arn:aws:iam::{ACCOUNT}:role/admin",
    ({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},),
    context={"aws:SecureTransport": "true"},
)


def test_it_reads_its_own_fleets_settings_only() -> None:
    path = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/auto-lambda-fleet"
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
    assert may("ssm:GetParametersByPath", f"{path}/auto-lambda/worker")
    for other in (f"{path}/auto-lambda/checker", f"{path}/another/worker", f"{path}/auto-lambda"):
        assert not may("ssm:GetParametersByPath", other)
    assert may("secretsmanager:GetSecretValue", f"{secret}:auto-lambda-fleet/auto-lambda/worker/x-a1b2c3")
    assert not may("secretsmanager:GetSecretValue", f"{secret}:auto-lambda-fleet/another/worker/x-a1b2c3")
    assert not may("secretsmanager:GetSecretValue", f"{secret}:billing-a1b2c3")


def may(action: str, resource: str, *contexts: Context, worker: Principal = WORKER) -> bool:
    context: dict[str, str | tuple[str, ...]] = {"aws:ResourceAccount": ACCOUNT}
    for one in contexts:
        context |= one
    return allowed(worker, Request(action, resource, context))


# --- roles ---


@pytest.mark.parametrize("action", ["CreateRole", "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary"])
def test_no_role_gets_rights_without_a_boundary_of_the_pipeline(action: str) -> None:
    def with_boundary(arn: str, stack: PipelineStack = STACK) -> bool:
        boundary = {"iam:PermissionsBoundary": arn}
        return may(f"iam:{action}", ROLE, VIA, boundary, worker=stack.role("WorkerRole"))

    ours = f"arn:aws:iam::{ACCOUNT}:policy/ours"
    for name in ("NamespaceBoundary", "AppBoundary"):
        assert with_boundary(STACK.arn(name))
    assert with_boundary(f"arn:aws:iam::{ACCOUNT}:policy/auto-lambda/boundaries/payments")
    assert not with_boundary(ours)
    assert not with_boundary("arn:aws:iam::aws:policy/AdministratorAccess")
    assert not may(f"iam:{action}", ROLE, VIA)
    assert with_boundary(ours, PipelineStack({"AppBoundaryArn": ours}))
    assert with_boundary(ours, PipelineStack({"PlatformBoundaryArn": ours}))


@pytest.mark.parametrize("action", ["CreatePolicy", "CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy"])
def test_the_worker_writes_no_boundary(action: str) -> None:
    for arn in (STACK.arn("AppBoundary"), f"arn:aws:iam::{ACCOUNT}:policy/auto-lambda/boundaries/payments"):
        assert not may(f"iam:{action}", arn, VIA)


@pytest.mark.parametrize(
    "action",
    ["CreateRole", "DeleteRole", "PutRolePolicy", "UpdateAssumeRolePolicy", "TagRole", "PassRole", "GetRole"],
)
def test_roles_are_for_cloudformation_below_their_path_only(action: str) -> None:
    context = {"iam:PermissionsBoundary": STACK.arn("AppBoundary"), "iam:PassedToService": "lambda.amazonaws.com"}
    assert may(f"iam:{action}", ROLE, VIA, context)
    assert not may(f"iam:{action}", ROLE, context)
    assert not may(f"iam:{action}", ROLE, {"aws:CalledVia": ("athena.amazonaws.com",)}, context)
    for other in ("admin", "auto-lambda-WorkerRole-1ABCDEFGHIJKL"):
        assert not may(f"iam:{action}", f"arn:aws:iam::{ACCOUNT}:role/{other}", VIA, context)


def test_no_boundary_is_taken_away_and_no_role_is_given_to_a_machine() -> None:
    for action in ("iam:DeleteRolePermissionsBoundary", "iam:CreateUser", "iam:CreateAccessKey", "sts:AssumeRole"):
        assert not may(action, ROLE, VIA, {"iam:PermissionsBoundary": STACK.arn("AppBoundary")})
    for service in ("ec2.amazonaws.com", "cloudformation.amazonaws.com", "ecs-tasks.amazonaws.com"):
        assert not may("iam:PassRole", ROLE, VIA, {"iam:PassedToService": service})


# --- stacks ---


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_templates_come_from_the_artifacts_bucket(region: str) -> None:
    client = boto3.client("s3", region, aws_access_key_id="x", aws_secret_access_key="y")
    store, bucket = ObjectStore(client), STACK.name("ArtifactsBucket").replace(REGION, region)
    key = f"bundles/{'0' * 64}.template.json"

    def from_url(url: str | None) -> bool:
        context: Context = {"cloudformation:TemplateUrl": url} if url else {}
        resource = SHOP_STACK.replace(REGION, region)
        return may("cloudformation:CreateChangeSet", resource, context, worker=there.role("WorkerRole"))

    there = PipelineStack(region=region)
    assert from_url(store.url(bucket, key))
    assert not from_url(store.url(STACK.name("UploadsBucket"), key))
    assert not from_url(store.url(bucket, "grants/dev/shop.json"))
    assert not from_url(store.url("elsewhere", key))
    assert not from_url(None)  # a body


def test_nothing_is_imported_and_no_service_role_is_used() -> None:
    url = {"cloudformation:TemplateUrl": f"https://s3.{REGION}.amazonaws.com/{STACK.name('ArtifactsBucket')}/bundles/x"}
    assert may("cloudformation:CreateChangeSet", SHOP_STACK, url)
    imported: Context = {"cloudformation:ImportResourceTypes": ("AWS::Lambda::Function",)}
    assert not may("cloudformation:CreateChangeSet", SHOP_STACK, url, imported)
    assert not may("cloudformation:CreateChangeSet", SHOP_STACK, url, {"cloudformation:RoleArn": ROLE})


@pytest.mark.parametrize("action", ["CreateStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteStack"])
def test_stacks_of_others_are_out_of_reach(action: str) -> None:
    url = {"cloudformation:TemplateUrl": f"https://s3.{REGION}.amazonaws.com/{STACK.name('ArtifactsBucket')}/bundles/x"}
    for name in ("auto-lambda", "billing", "also"):
        assert not may(f"cloudformation:{action}", SHOP_STACK.replace("al-shop-dev", name), url, OUR_STACK)


ANOTHERS: Context = {f"aws:ResourceTag/{PIPELINE_TAG}": "staging"}


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("cloudformation:ExecuteChangeSet", SHOP_STACK),
        ("cloudformation:DeleteStack", SHOP_STACK),
        ("iam:PutRolePolicy", ROLE),
        ("lambda:UpdateFunctionCode", FUNCTION),
        ("lambda:InvokeFunction", FUNCTION),
        ("lambda:DeleteFunction", f"{FUNCTION}:7"),
        ("sqs:DeleteQueue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:al-shop-dev-Work-1"),
    ],
)
def test_what_another_pipeline_has_made_is_left_alone(action: str, resource: str) -> None:
    boundary: Context = {"iam:PermissionsBoundary": STACK.arn("NamespaceBoundary")}
    for through in ({}, VIA):
        assert not may(action, resource, through, APP, OUR_STACK, boundary, ANOTHERS)
    ours: Context = {f"aws:ResourceTag/{PIPELINE_TAG}": "auto-lambda"}
    for made_by in (ours, {}):  # those of earlier versions have no such tag
        assert may(action, resource, VIA, APP, OUR_STACK, boundary, made_by)
    assert may("cloudformation:DescribeStacks", SHOP_STACK, ANOTHERS)  # to tell whose it is


# --- functions ---

CHANGES = ("AddPermission", "CreateAlias", "CreateFunctionUrlConfig", "PublishVersion", "UpdateAlias",
           "UpdateFunctionCode", "UpdateFunctionConfiguration", "PutFunctionConcurrency")  # fmt: skip


@pytest.mark.parametrize("action", CHANGES)
def test_through_cloudformation_only_functions_of_apps_are_changed(action: str) -> None:
    assert may(f"lambda:{action}", FUNCTION, VIA, APP, OUR_STACK)
    assert not may(f"lambda:{action}", FUNCTION, VIA)
    assert not may(f"lambda:{action}", FUNCTION, VIA, APP, FOREIGN_STACK)
    assert not may(f"lambda:{action}", FUNCTION, VIA, {f"aws:ResourceTag/{APP_TAG}": "shop"}, OUR_STACK)
    assert not may(f"lambda:{action}", FUNCTION, VIA, {f"aws:ResourceTag/{STAGE_TAG}": "dev"}, OUR_STACK)


@pytest.mark.parametrize(
    "action", ["DeleteFunction", "RemovePermission", "DeleteAlias", "TagResource", "UntagResource"]
)
def test_nothing_is_deleted_or_tagged_that_belongs_to_another_stack(action: str) -> None:
    assert may(f"lambda:{action}", FUNCTION, VIA, APP, OUR_STACK)
    assert may(f"lambda:{action}", FUNCTION, VIA)  # it is new, or was deleted by hand
    assert not may(f"lambda:{action}", FUNCTION, VIA, APP, FOREIGN_STACK)
    assert not may(f"lambda:{action}", FUNCTION, APP, OUR_STACK)


@pytest.mark.parametrize(
    "action",
    [
        "InvokeFunction", "GetFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "UpdateAlias",
        "PublishVersion",
    ],
)  # fmt: skip
def test_directly_only_functions_of_apps_are_called_and_changed(action: str) -> None:
    assert may(f"lambda:{action}", FUNCTION, APP, OUR_STACK)
    assert may(f"lambda:{action}", f"{FUNCTION}:live", APP, OUR_STACK)
    assert not may(f"lambda:{action}", FUNCTION)
    assert not may(f"lambda:{action}", FUNCTION, OUR_STACK)
    assert not may(f"lambda:{action}", FUNCTION, APP, FOREIGN_STACK)
    assert not may(f"lambda:{action}", FUNCTION, {f"aws:ResourceTag/{APP_TAG}": "shop"}, OUR_STACK)


@pytest.mark.parametrize("action", ["AddPermission", "DeleteFunction", "CreateFunction"])
def test_directly_nobody_is_let_in(action: str) -> None:
    assert not may(f"lambda:{action}", FUNCTION, APP, OUR_STACK)


def test_the_settings_of_functions_of_another_stack_are_not_read() -> None:
    for action in ("lambda:GetFunctionConfiguration", "lambda:GetAlias"):
        assert may(action, FUNCTION)  # so that one that was deleted by hand is missing, not forbidden
        assert not may(action, FUNCTION, FOREIGN_STACK)


@pytest.mark.parametrize(
    "action", [*CHANGES, "GetAlias", "GetFunctionConfiguration", "InvokeFunction", "DeleteFunction"]
)
def test_functions_of_other_accounts_are_out_of_reach(action: str) -> None:
    foreign = FUNCTION.replace(ACCOUNT, "999988887777")
    assert not may(f"lambda:{action}", foreign, APP, OUR_STACK)
    assert not may(f"lambda:{action}", foreign, VIA, APP, OUR_STACK)


def test_only_layers_of_apps_are_published_and_deleted() -> None:
    ours, shared = (FUNCTION.replace("function:shop-dev", f"layer:{name}") for name in ("al-shop-dev", "tools"))
    assert may("lambda:PublishLayerVersion", ours, VIA)
    assert not may("lambda:PublishLayerVersion", ours)
    assert may("lambda:DeleteLayerVersion", ours, VIA)
    for action in ("PublishLayerVersion", "DeleteLayerVersion"):
        assert not may(f"lambda:{action}", shared, VIA)
    assert may("lambda:GetLayerVersion", f"{shared}:1")
    assert not may("lambda:GetLayerVersion", f"{shared.replace(REGION, 'us-east-1')}:1")


# --- buckets and what else is the pipeline's ---


@pytest.mark.parametrize(
    "action", ["PutObject", "DeleteObject", "DeleteObjectVersion", "PutObjectTagging", "PutObjectAcl"]
)
def test_workers_read_grants_and_never_write_them(action: str) -> None:
    grants = f"{ARTIFACTS}/grants/dev/shop.json"
    assert may("s3:GetObject", grants)
    assert decide(WORKER, Request(f"s3:{action}", grants)) is Decision.DENIED


def in_artifacts(principal: Principal, action: str, key: str, stack: PipelineStack = STACK) -> bool:
    asked = Request(f"s3:{action}", f"{ARTIFACTS}/{key}", {"aws:SecureTransport": "true"})
    return allowed(principal, asked, stack.document("ArtifactsBucketPolicy"))


@pytest.mark.parametrize("key", ["wheels/k/record.json", "layers/x.zip", "bundles/x.zip"])
def test_only_workers_write_artifacts(key: str) -> None:
    assert in_artifacts(WORKER, "PutObject", key)
    for action in ("PutObject", "DeleteObject", "DeleteObjectVersion", "PutObjectTagging"):
        assert not in_artifacts(SOMEBODY, action, key)
    assert in_artifacts(SOMEBODY, "GetObject", key)


def test_the_platform_team_writes_grants_and_a_worker_elsewhere_may_be_named() -> None:
    assert in_artifacts(SOMEBODY, "PutObject", "grants/dev/shop.json")
    with_another = PipelineStack({"OtherWorkerArn": SOMEBODY.arn})
    assert in_artifacts(SOMEBODY, "PutObject", "wheels/k/record.json", with_another)
    assert in_artifacts(WORKER, "PutObject", "wheels/k/record.json", with_another)


def test_requests_without_tls_are_denied() -> None:
    for part in ("UploadsBucket", "ArtifactsBucket"):
        for asked in (Request("s3:GetObject", f"{STACK.arn(part)}/x"), Request("s3:ListBucket", STACK.arn(part))):
            plain = replace(asked, context={"aws:SecureTransport": "false"})
            assert decide(SOMEBODY, plain, STACK.document(f"{part}Policy")) is Decision.DENIED


@pytest.mark.parametrize("part", ["UploadsBucket", "ArtifactsBucket", "LedgerTable", "AlarmTopic", "Queue"])
def test_through_cloudformation_the_pipeline_stays_as_it_is(part: str) -> None:
    for action in ("s3:PutBucketNotification", "s3:DeleteBucket", "dynamodb:DeleteTable", "dynamodb:UpdateTable",
                   "sns:DeleteTopic", "sns:SetTopicAttributes", "sqs:DeleteQueue", "sqs:TagQueue"):  # fmt: skip
        assert not may(action, STACK.arn(part), VIA, APP)
    assert not may("s3:PutBucketNotification", STACK.arn("UploadsBucket"))
    assert may("s3:PutBucketNotification", "arn:aws:s3:::pictures")
    assert not may("s3:PutBucketNotification", "arn:aws:s3:::pictures", {"aws:ResourceAccount": "999988887777"})


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("dynamodb:DeleteTable", "dynamodb:{region}:{account}:table/answers"),
        ("sns:DeleteTopic", "sns:{region}:{account}:news"),
        ("sqs:SetQueueAttributes", "sqs:{region}:{account}:orders"),
        ("lambda:UntagResource", "lambda:{region}:{account}:event-source-mapping:1"),
    ],
)
def test_data_of_other_stacks_and_accounts_stays_as_it_is(action: str, arn: str) -> None:
    here, foreign = (f"arn:aws:{arn.format(region=REGION, account=one)}" for one in (ACCOUNT, "999988887777"))
    assert may(action, here, VIA, APP, OUR_STACK)
    assert not may(action, here, VIA, APP, FOREIGN_STACK)
    assert not may(action, foreign, VIA, APP, OUR_STACK)


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("s3:GetObject", "arn:aws:s3:::pictures/apps/dev/shop.zip"),
        ("s3:GetObjectVersion", "arn:aws:s3:::pictures/apps/dev/shop.zip"),
        ("s3:GetObject", f"{STACK.arn('UploadsBucket')}/elsewhere/x"),
        ("s3:PutObject", f"{STACK.arn('UploadsBucket')}/apps/dev/shop.zip"),
        ("s3:PutObject", f"{ARTIFACTS}/elsewhere/x"),
        ("s3:PutObject", "arn:aws:s3:::pictures/apps/dev/shop.log"),
        ("s3:ListBucket", "arn:aws:s3:::pictures"),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"),
        ("sqs:ReceiveMessage", STACK.arn("DeadLetterQueue")),
        ("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"),
        ("dynamodb:PutItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"),
        ("autoscaling:TerminateInstanceInAutoScalingGroup", f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1"
         ":autoScalingGroupName/web"),
    ],
)  # fmt: skip
def test_directly_the_worker_uses_the_parts_of_the_pipeline_alone(action: str, arn: str) -> None:
    assert not may(action, arn)
    assert not may(action, arn, VIA, APP)


def test_events_go_to_the_one_bus_with_our_source() -> None:
    bus, ours = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/", {"events:source": "auto-lambda"}
    for name in ("default", "platform/apps"):
        worker = PipelineStack({"EventBus": name}).role("WorkerRole")
        assert may("events:PutEvents", f"{bus}{name}", ours, worker=worker)
        assert not may("events:PutEvents", f"{bus}other", ours, worker=worker)
        assert may("events:DescribeEventBus", f"{bus}{name}", worker=worker)
        assert not may("events:DescribeEventBus", f"{bus}other", worker=worker)
        assert not may("events:PutEvents", f"{bus}{name}".replace(ACCOUNT, "999988887777"), ours, worker=worker)
        assert not may("events:PutEvents", f"{bus}{name}", {"events:source": "billing"}, worker=worker)
        assert not may("events:PutEvents", f"{bus}{name}", worker=worker)
    off = PipelineStack({"EventBus": ""}).role("WorkerRole")
    for name in ("default", ""):
        assert not may("events:PutEvents", f"{bus}{name}", ours, worker=off)


def test_keys_are_given_to_services_of_aws_only() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    assert may("kms:CreateGrant", key, VIA, {"kms:GrantIsForAWSResource": "true"})
    assert not may("kms:CreateGrant", key, VIA, {"kms:GrantIsForAWSResource": "false"})
    assert not may("kms:CreateGrant", key, {"kms:GrantIsForAWSResource": "true"})
    assert not may("kms:Decrypt", key.replace(REGION, "us-east-1"), VIA)


def test_the_dead_letter_queue_stays_as_it_is() -> None:
    assert not may("sqs:DeleteQueue", STACK.arn("DeadLetterQueue"), VIA, APP)


def test_only_the_log_groups_of_functions_are_managed() -> None:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
    assert may("logs:DeleteLogGroup", f"{group}/aws/lambda/shop-dev/Work", VIA)
    assert not may("logs:DeleteLogGroup", f"{group}/auto-lambda/worker", VIA)


def test_only_the_logs_of_apps_are_read() -> None:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
    assert may("logs:FilterLogEvents", f"{group}/aws/lambda/shop-dev/Work:*", APP, OUR_STACK)
    assert not may("logs:FilterLogEvents", f"{group}/aws/lambda/payroll:*")
    assert not may("logs:FilterLogEvents", f"{group}/aws/lambda/payroll:*", APP, FOREIGN_STACK)
    assert not may("logs:FilterLogEvents", f"{group}/auto-lambda/worker:*", APP)


# --- limits of IAM and CloudFormation ---


@pytest.mark.parametrize("parameters", [{}, {"AppBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/{'p' * 100}"}])
def test_policies_fit_into_what_iam_allows(parameters: dict[str, str]) -> None:
    stack = PipelineStack(parameters, region="ap-southeast-2")
    for name, one in stack.template["Resources"].items():
        if one["Type"] == "AWS::IAM::ManagedPolicy":
            assert len(json.dumps(stack.document(name), separators=(",", ":"))) <= 6_144, name
    for name in ("WorkerRole", "CheckerRole"):
        inline = [stack.resolve(one) for one in stack.template["Resources"][name]["Properties"]["Policies"]]
        assert len(json.dumps(inline, separators=(",", ":"))) <= 10_240, name


# --- retention ---


def test_old_versions_of_functions_of_apps_are_deleted_and_never_a_function() -> None:
    version = f"{FUNCTION}:7"
    assert may("lambda:DeleteFunction", version, APP, OUR_STACK)
    for contexts in ((), (OUR_STACK,), (APP, FOREIGN_STACK), ({f"aws:ResourceTag/{APP_TAG}": "shop"}, OUR_STACK)):
        assert not may("lambda:DeleteFunction", version, *contexts)
    assert not may("lambda:DeleteFunction", FUNCTION, APP, OUR_STACK)
    assert not may("lambda:DeleteFunction", version.replace(ACCOUNT, "999999999999"), APP, OUR_STACK)


def test_old_layers_of_apps_are_deleted_and_nobody_elses() -> None:
    layer = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer"
    assert may("lambda:DeleteLayerVersion", f"{layer}:al-shop-dev:3")
    assert not may("lambda:DeleteLayerVersion", f"{layer}:tools:3")
    assert not may("lambda:DeleteLayerVersion", f"{layer}:al-shop-dev:3".replace(ACCOUNT, "999999999999"))


@pytest.mark.parametrize("key", ["bundles/x.zip", "layers/x.zip"])
def test_old_artifacts_are_deleted_but_not_for_good(key: str) -> None:
    assert may("s3:DeleteObject", f"{ARTIFACTS}/{key}")
    assert not may("s3:DeleteObjectVersion", f"{ARTIFACTS}/{key}")


@pytest.mark.parametrize("key", ["grants/dev/shop.json", "wheels/k/record.json", "other"])
def test_nothing_else_in_the_artifacts_bucket_is_deleted(key: str) -> None:
    assert not may("s3:DeleteObject", f"{ARTIFACTS}/{key}")


def test_no_zip_is_deleted() -> None:
    assert not may("s3:DeleteObject", f"{STACK.arn('UploadsBucket')}/apps/dev/shop.zip")


# --- domains and flex ---

ZONE = "arn:aws:route53:::hostedzone/Z0123456789"
NAMED = PipelineStack(DOMAIN).role("WorkerRole")
NAMES, TYPES = (f"route53:ChangeResourceRecordSets{part}" for part in ("NormalizedRecordNames", "RecordTypes"))


def test_records_are_changed_below_the_pipelines_domain_only() -> None:
    def changed(
        name: str, kind: str = "CNAME", zone: str = ZONE, *, via: Context = VIA, role: Principal = NAMED
    ) -> bool:
        context: Context = {NAMES: (name,), TYPES: (kind,)}
        return may("route53:ChangeResourceRecordSets", zone, via, context, worker=role)

    assert changed("shop-dev.apps.example.com")
    assert not changed("apps.example.com")
    assert not changed("www.example.com")
    assert not changed("shop-dev.apps.example.com", "NS")
    assert not changed("shop-dev.apps.example.com", zone=ZONE.replace("Z0", "Z9"))
    assert not changed("shop-dev.apps.example.com", via={})
    assert not changed("shop-dev.apps.example.com", role=WORKER)  # of a pipeline without a domain
    for action in ("DeleteHostedZone", "ChangeTagsForResource", "CreateHostedZone"):
        assert not may(f"route53:{action}", ZONE, VIA, worker=NAMED)


def test_domains_of_others_are_left_alone() -> None:
    domain = f"arn:aws:apigateway:{REGION}::/domainnames/shop.example.com"
    for action in ("apigateway:DELETE", "apigateway:PATCH", "apigateway:PUT"):
        assert may(action, domain, VIA, OUR_STACK)
        assert not may(action, domain, VIA, FOREIGN_STACK)
        assert not may(action, domain, VIA, OUR_STACK, ANOTHERS)
        assert not may(action, domain, OUR_STACK)


def test_a_flex_stack_is_changed_with_the_controllers_role_only() -> None:
    stack = SHOP_STACK.replace("al-shop", "al-Flex-shop")
    role = f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/flex/flex-stacks"
    url = {"cloudformation:TemplateUrl": f"https://s3.{REGION}.amazonaws.com/{STACK.name('ArtifactsBucket')}/bundles/x"}
    assert may("cloudformation:CreateChangeSet", stack, url, {"cloudformation:RoleArn": role})
    assert not may("cloudformation:CreateChangeSet", stack, url, {"cloudformation:RoleArn": f"{role}-2"})
    assert not may("cloudformation:CreateChangeSet", SHOP_STACK, url, {"cloudformation:RoleArn": role})
    assert not may("cloudformation:CreateChangeSet", stack, {"cloudformation:RoleArn": role})
    assert may("iam:PassRole", role, {"iam:PassedToService": "cloudformation.amazonaws.com"})
    assert not may("iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
    assert not may("iam:PassRole", ROLE, {"iam:PassedToService": "cloudformation.amazonaws.com"})
    for action in ("ec2:CreateVpc", "elasticloadbalancing:CreateLoadBalancer", "ecs:CreateService", "ecs:RunTask"):
        assert not may(action, "*", VIA)


@pytest.mark.parametrize("action", ["DeleteRole", "PutRolePolicy", "UpdateAssumeRolePolicy", "TagRole", "CreateRole"])
def test_the_controllers_role_is_not_the_workers_to_change(action: str) -> None:
    boundary = {"iam:PermissionsBoundary": STACK.arn("AppBoundary")}
    assert may(f"iam:{action}", ROLE, VIA, boundary)
    assert not may(f"iam:{action}", f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/flex/flex-stacks", VIA, boundary)
