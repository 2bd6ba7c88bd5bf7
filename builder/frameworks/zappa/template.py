"""The whole template of a zappa app: the function, its role, and its triggers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Template
from builder.frameworks.zappa import api, events
from builder.frameworks.zappa.events import Schedule
from builder.frameworks.zappa.resources import (
    FUNCTION,
    ROLE,
    Resource,
    Statement,
    TemplateParts,
    allow,
    escape_sub,
    sub,
    tag_list,
)
from builder.frameworks.zappa.settings import ZAPPA_HANDLER, StageSettings, unsupported
from builder.lint.lint import SettingNames, value_problem, value_problems
from builder.schedule_expressions import refused
from builder.source.options import why_refused
from builder.source.problems import Problems

MAX_FUNCTION_NAME = 64
_SETTING = "the zappa setting "
_LAMBDA_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_VPC_ACTIONS = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")  # fmt: skip

SETTING_NAMES: SettingNames = {
    ("Lambda::Function", "MemorySize"): "memory_size",
    ("Lambda::Function", "Timeout"): "timeout_seconds",
    ("Lambda::Function", "Environment"): "environment_variables, aws_environment_variables",
    ("Lambda::Function", "EphemeralStorage"): "ephemeral_storage",
    ("Lambda::Function", "VpcConfig"): "vpc_config",
    ("Lambda::Function", "FileSystemConfigs"): "efs_config",
    ("Lambda::Function", "Layers"): "layers",
    ("Lambda::Function", "SnapStart"): "snap_start",
    ("Lambda::Function", "DeadLetterConfig"): "dead_letter_arn",
    ("Lambda::Function", "KmsKeyArn"): "aws_kms_key_arn",
    ("Lambda::Function", "Description"): "lambda_description",
    ("Lambda::Function", "Handler"): "lambda_handler",
    ("Lambda::Function", "ReservedConcurrentExecutions"): "lambda_concurrency",
    ("Lambda::Function", "Tags"): "tags",
    ("Lambda::EventSourceMapping", "EventSourceArn"): "events, attach_policy",
    ("Lambda::EventSourceMapping", "BatchSize"): "events.event_source.batch_size",
    ("Lambda::EventSourceMapping", "MaximumBatchingWindowInSeconds"): "events.event_source.batch_window",
    ("Lambda::EventSourceMapping", "StartingPosition"): "events.event_source.starting_position",
    ("Lambda::Url", "Cors"): "function_url_config.cors",
    ("DynamoDB::Table", "ReadCapacityUnits"): "async_response_table_read_capacity",
    ("DynamoDB::Table", "WriteCapacityUnits"): "async_response_table_write_capacity",
    ("ApiGateway::RestApi", "BinaryMediaTypes"): "binary_support",
    ("ApiGateway::RestApi", "MinimumCompressionSize"): "payload_minimum_compression_size",
    ("ApiGateway::RestApi", "Tags"): "tags",
    ("ApiGateway::Stage", "CacheClusterSize"): "cache_cluster_size",
    ("ApiGateway::Stage", "CacheTtlInSeconds"): "cache_cluster_ttl",
    ("ApiGateway::Stage", "Tags"): "tags",
    ("Events::Rule", "ScheduleExpression"): "events.expression",
}
"""Where the author of an app writes a property."""


def build_template(
    app: App,
    settings: StageSettings,
    policies: Mapping[str, Any],
    schedules: Iterable[Schedule],
    zappas: Mapping[str, Resource],
) -> tuple[Template, TemplateParts]:
    """Return the draft's template, and the parts that it was made of (URL, notifications, warnings).

    Args:
        app: whose.
        settings: of the stage, after callbacks; checked already.
        policies: content of policy files by setting.
        schedules: one per schedule expression.
        zappas: resources of zappa's own API template.

    Raises:
        AppError: the settings ask for what cannot be expressed, or is not supported.
    """
    _check_name(app)
    parts = TemplateParts()
    for part in (
        api.web_parts(settings, zappas, app.stage),
        events.schedule_parts(schedules),
        events.event_source_parts(settings),
        events.async_task_parts(settings, app.function),
        events.cognito_and_bot_parts(settings),
    ):
        parts.add(part)
    parts.statements += _role_statements(settings, app.function)
    resources = {
        FUNCTION: _function(app, settings),
        ROLE: _role(settings, policies, parts.statements),
        **parts.resources,
    }
    described = {"AWSTemplateFormatVersion": "2010-09-09", "Description": f"{app} by zappa", "Resources": resources}
    return described, parts


def template_problems(app: App, settings: StageSettings) -> list[AppError]:
    """Return what is wrong with the settings, as far as they alone show it: also what AWS would refuse."""
    problems = Problems()
    noting = StageSettings(settings.values, found=problems.found)
    problems.attempt(_check_name, app)
    problems.attempt(lambda: noting.answers_requests)
    resources = {**api.check(noting, problems, app.stage), **events.check(noting, problems)}
    if function := problems.attempt(_function, app, noting):
        resources[FUNCTION] = _without_reserved(function)
    problems.attempt(_check_retained, noting)
    problems.attempt(_role, noting, {}, [])
    problems.attempt(_role_statements, noting, "")
    problems.note(value_problems({"Resources": resources}, SETTING_NAMES, _SETTING))
    problems.note(
        value_problem(f"{_SETTING}{name}", reason)
        for name, expression in events.expressions(noting)
        if (reason := refused(expression))
    )
    return problems.found


def _without_reserved(function: Resource) -> Resource:
    """Return a function without the variables that are refused by their names, which is told elsewhere."""
    properties = function["Properties"]
    kept = {name: one for name, one in properties["Environment"]["Variables"].items() if not why_refused(name)}
    return {**function, "Properties": {**properties, "Environment": {"Variables": kept}}}


def _check_retained(settings: StageSettings) -> None:
    if settings.values.get("num_retained_versions") is not None and settings.number("num_retained_versions", 1) < 1:
        raise settings.invalid("num_retained_versions", "a number of releases, at least 1")


def _check_name(app: App) -> None:
    if len(app.function) > MAX_FUNCTION_NAME:
        raise AppError(
            Code.BAD_KEY,
            f"name and stage together, {app.function!r}, are {len(app.function)} characters; Lambda takes 64",
            hint="Upload under a shorter name: the function of a zappa app is called <name>-<stage>.",
        )


def _function(app: App, settings: StageSettings) -> Resource:
    properties: dict[str, Any] = {
        "FunctionName": app.function,
        "Handler": settings.text("lambda_handler", ZAPPA_HANDLER),
        "Description": settings.text("lambda_description", "Zappa Deployment"),
        "MemorySize": settings.number("memory_size", 512),
        "Timeout": settings.number("timeout_seconds", 30),
        "Role": {"Fn::GetAtt": [ROLE, "Arn"]},
        "Environment": {"Variables": settings.text_mapping("aws_environment_variables")},
        "TracingConfig": {"Mode": "Active" if settings.flag("xray_tracing", default=False) else "PassThrough"},
        **_optional(settings),
    }
    function: Resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    if (provisioned := settings.number("provisioned_concurrency", 0)) < 0:
        raise settings.invalid("provisioned_concurrency", "at least 1")
    if provisioned:
        function["Metadata"] = {"AutoLambda": {"ProvisionedConcurrency": provisioned}}
    return function


def _optional(settings: StageSettings) -> dict[str, Any]:
    """Return the properties that are present only if a setting asks for them."""
    found: dict[str, Any] = {
        "EphemeralStorage": settings.mapping("ephemeral_storage"),
        "VpcConfig": {name: settings.section("vpc_config").texts(name) for name in settings.mapping("vpc_config")},
        "FileSystemConfigs": _file_systems(settings),
        "KmsKeyArn": settings.text("aws_kms_key_arn"),
        "Layers": settings.texts("layers"),
        "Tags": tag_list(settings.text_mapping("tags")),
    }
    if target := settings.text("dead_letter_arn"):
        found["DeadLetterConfig"] = {"TargetArn": target}
    if (snap_start := settings.text("snap_start", "None")) != "None":
        found["SnapStart"] = {"ApplyOn": snap_start}
    if settings.values.get("lambda_concurrency") is not None:
        found["ReservedConcurrentExecutions"] = settings.number("lambda_concurrency", 0)
    return {name: value for name, value in found.items() if value not in ("", [], {})}


def _file_systems(settings: StageSettings) -> list[dict[str, str]]:
    given = settings.values.get("efs_config")
    if not given:
        return []
    listed = [{}] if given is True else [given] if isinstance(given, dict) else given
    mounts = StageSettings({"efs_config": listed}).sections("efs_config")
    if not all(mount.text("Arn") for mount in mounts):
        raise unsupported(
            "efs_config", "a file system is not made: its data would go with the deployment",
            hint="Make one with an access point, and name that by `Arn`.",
        )  # fmt: skip
    return [{"Arn": mount.text("Arn"), "LocalMountPath": mount.text("LocalMountPath", "/mnt/efs")} for mount in mounts]


def _role(settings: StageSettings, policies: Mapping[str, Any], statements: list[Statement]) -> Resource:
    inline = [_policy("auto-lambda", statements)]
    if "attach_policy" in policies:
        attached = policies["attach_policy"]
        if not (isinstance(attached, dict) and attached.get("Statement")):
            raise settings.invalid("attach_policy", "a file that holds a policy with a Statement")
        inline.append({"PolicyName": "attach-policy", "PolicyDocument": attached})
    if extra := [one.values for one in settings.sections("extra_permissions")]:
        inline.append(_policy("extra-permissions", extra))
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": _LAMBDA_TRUST, "Policies": inline},
    }


def _policy(name: str, statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}


def _role_statements(settings: StageSettings, function: str) -> list[Statement]:
    """Return the rights that every function needs, and those that other settings imply."""
    group = f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:/aws/lambda/{function}"
    found = [allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], sub(group), sub(f"{group}:*"))]
    if settings.flag("xray_tracing", default=False):
        found.append(allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"))
    if settings.mapping("vpc_config"):
        found.append(allow(_VPC_ACTIONS, "*"))
    for mount in _file_systems(settings):
        mine = {"StringEquals": {"elasticfilesystem:AccessPointArn": mount["Arn"]}}
        found.append(
            allow(["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"], "*") | {"Condition": mine}
        )
    if target := settings.text("dead_letter_arn"):
        found.append(allow(["sqs:SendMessage" if ":sqs:" in target else "sns:Publish"], target))
    if key := settings.text("aws_kms_key_arn"):
        found.append(allow(["kms:Decrypt"], key))
    if place := _remote_environment(settings):
        found.append(allow(["s3:GetObject"], sub(f"arn:${{AWS::Partition}}:s3:::{escape_sub(place)}")))
    return found


def _remote_environment(settings: StageSettings) -> str:
    """Return the ``bucket/key`` from which the handler reads variables when it starts."""
    if place := settings.text("remote_env"):
        return place.removeprefix("s3://")
    bucket, file = settings.text("remote_env_bucket"), settings.text("remote_env_file")
    return f"{bucket}/{file}" if bucket and file else ""
