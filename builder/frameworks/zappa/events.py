"""Triggers besides HTTP: schedules, queues, streams, topics, buckets, event patterns, and the app's own tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from auto_lambda.model import BucketNotification
from builder.frameworks.zappa.resources import (
    FUNCTION,
    FUNCTION_ARN,
    Resource,
    TemplateParts,
    allow,
    escape_sub,
    invoke_permission,
    short_hash,
    sub,
)
from builder.frameworks.zappa.settings import StageSettings, unsupported
from builder.source.problems import Problems

_EVENT_FIELDS = ("time", "detail-type", "source", "account", "region", "detail", "version", "resources", "id")
_READ_ACTIONS = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"),
    "dynamodb": ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"),
    "kinesis": ("kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream", "kinesis:ListShards",
                "kinesis:DescribeStreamSummary", "kinesis:ListStreams", "kinesis:SubscribeToShard"),
}  # fmt: skip
_LONGEST_CALLED = 140  # characters; S3's ids have 255, and the app's name is in them, too
_POLLED_SERVICES = frozenset(_READ_ACTIONS)
_ARN = re.compile(r"arn:[a-z-]+:([a-z0-9-]+):[a-z0-9-]*:[0-9]*:\S+")


class Schedule(BaseModel):
    """One schedule expression. Zappa's handler reads the function to run from the end of the rule's name."""

    model_config = ConfigDict(strict=True, frozen=True)
    name: str
    expression: str
    function: str
    description: str
    enabled: bool
    kwargs: dict[str, Any]


def schedule_parts(found: Iterable[Schedule]) -> TemplateParts:
    """Return a rule and its permission for each schedule."""
    parts = TemplateParts()
    for schedule in found:
        name = f"Schedule{short_hash(schedule.name)}"
        properties = {
            "Name": schedule.name,
            "Description": schedule.description[:512],
            "ScheduleExpression": schedule.expression,
            "State": "ENABLED" if schedule.enabled else "DISABLED",
            "Targets": [_target("kwargs", schedule.kwargs)],
        }
        parts.resources |= _rule(name, properties)
    return parts


def _target(added: str, value: Any, passed: tuple[str, ...] = _EVENT_FIELDS) -> dict[str, Any]:
    """Target the function with the event and one value more."""
    template = ", ".join([*(f'"{name}": <{name}>' for name in passed), f'"{added}": {json.dumps(value)}'])
    return {
        "Id": FUNCTION,
        "Arn": FUNCTION_ARN,
        "InputTransformer": {
            "InputPathsMap": {name: f"$.{name}" for name in passed},
            "InputTemplate": f"{{{template}}}",
        },
    }


def _rule(name: str, properties: dict[str, Any]) -> dict[str, Resource]:
    return {
        name: {"Type": "AWS::Events::Rule", "Properties": properties},
        f"{name}Permission": invoke_permission("events.amazonaws.com", {"Fn::GetAtt": [name, "Arn"]}),
    }


def event_source_parts(settings: StageSettings) -> TemplateParts:
    """Return what the settings' ``events`` with an ``event_source`` need.

    Raises:
        AppError: ``unsupported-setting`` for a service that zappa does not know, ``bad-config``.
    """
    parts = TemplateParts()
    grouped: dict[str, list[StageSettings]] = {}
    for event in settings.sections("events"):
        _check_event(event)
        if "event_source" in event.values:
            grouped.setdefault(event.section("event_source").text("arn"), []).append(event)
        for pattern in _event_patterns(event):
            parts.add(pattern)
    for arn, group in grouped.items():
        parts.add(_event_source(arn, group))
    return parts


def check(settings: StageSettings, problems: Problems) -> dict[str, Resource]:
    """Note what is wrong with each event; return the resources that the settings alone make."""
    for event in settings.sections("events"):
        problems.attempt(_check_event, event)
        problems.attempt(_event_patterns, event)
        if "event_source" in event.values:
            problems.attempt(_event_source, event.section("event_source").text("arn"), [event])
    parts = TemplateParts()
    for found in (
        problems.attempt(event_source_parts, settings),  # what several have in common
        problems.attempt(async_task_parts, settings, ""),
        problems.attempt(cognito_and_bot_parts, settings),
    ):
        parts.add(found or TemplateParts())
    return {name: one for name, one in parts.resources.items() if one["Type"] != "AWS::Events::Rule"}


def expressions(settings: StageSettings) -> Iterator[tuple[str, str]]:
    """Yield the settings that hold schedules, each with its expression."""
    for index, event in enumerate(settings.sections("events")):
        one, name = bool(event.values.get("expression")), f"events[{index}]"
        for text in [event.text("expression")] if one else event.texts("expressions"):
            yield f"{name}.expression{'' if one else 's'}", text
        source = event.section("event_source")
        if text := source.text("schedule_expression") or source.text("schedule"):
            yield f"{name}.event_source", text
    if settings.values.get("keep_warm", True):
        yield "keep_warm_expression", settings.text("keep_warm_expression", "rate(4 minutes)")


def _check_event(event: StageSettings) -> None:
    if not re.fullmatch(r"\w+(\.\w+)+", event.text("function"), re.ASCII):
        raise event.invalid("function", "the dotted path of the function to call, as in 'tasks.cleanup'")
    if "event_source" not in event.values and not (event.values.get("expression") or event.values.get("expressions")):
        raise event.invalid("expression", "a schedule, unless the event has an event_source")


def _event_source(arn: str, events: list[StageSettings]) -> TemplateParts:
    """Make one trigger per source: zappa's handler calls every function that asked for it."""
    group = [event.section("event_source") for event in events]
    service = _service(arn, group[-1])
    if service in _POLLED_SERVICES:
        return _event_source_mapping(service, arn, group[-1])
    if service == "sns":
        return _topic_subscription(arn, group)
    if service == "s3":
        return _bucket_notifications(arn, events)
    return TemplateParts()


def _service(arn: str, source: StageSettings) -> str:
    found = _ARN.fullmatch(arn)
    if not found:
        raise source.invalid("arn", "the ARN of an event source")
    if found[1] not in {*_POLLED_SERVICES, "sns", "s3", "events"}:
        raise unsupported("events", f"zappa has no event source for {found[1]} ({arn})")
    return found[1]


def _event_source_mapping(service: str, arn: str, source: StageSettings) -> TemplateParts:
    size = source.number("batch_size", 10)
    properties: dict[str, Any] = {
        "FunctionName": {"Ref": FUNCTION},
        "EventSourceArn": arn,
        "BatchSize": size,
        "Enabled": source.flag("enabled", default=True),
    }
    if service == "sqs":
        properties["MaximumBatchingWindowInSeconds"] = source.number("batch_window", 1 if size > 10 else 0)
    else:
        properties["StartingPosition"] = source.text("starting_position", "TRIM_HORIZON")
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    return TemplateParts({f"Source{short_hash(arn)}": mapping}, [allow(_READ_ACTIONS[service], arn)])


def _topic_subscription(arn: str, group: list[StageSettings]) -> TemplateParts:
    properties: dict[str, Any] = {"TopicArn": arn, "Protocol": "lambda", "Endpoint": FUNCTION_ARN}
    if region := arn.split(":")[3]:
        properties["Region"] = region
    if filters := _merge_filters([source.mapping("filters") for source in group]):
        properties["FilterPolicy"] = filters
    name = f"Topic{short_hash(arn)}"
    return TemplateParts(
        {
            name: {"Type": "AWS::SNS::Subscription", "Properties": properties},
            f"{name}Permission": invoke_permission("sns.amazonaws.com", arn),
        }
    )


def _merge_filters(filters: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge the filters of several functions on one topic so that each gets its messages: zappa's own rule."""
    if not all(filters):
        return {}
    common = set.intersection(*(set(one) for one in filters))
    merged: dict[str, Any] = {}
    for key in sorted(common):
        values: dict[str, Any] = {}
        for one in filters:
            for value in one[key] if isinstance(one[key], list) else [one[key]]:
                values.setdefault(json.dumps(value, sort_keys=True, default=str), value)
        merged[key] = list(values.values())
    return merged


def _bucket_notifications(arn: str, events: list[StageSettings]) -> TemplateParts:
    """Make one notification per filter, since S3 refuses two that overlap."""
    bucket = arn.rpartition(":")[2]
    asked: dict[BucketNotification, dict[str, None]] = {}
    for event in events:
        asked.setdefault(_notification(bucket, event.section("event_source")), {})[_called_by_id(event)] = None
    if len(asked) > 1 and any(len(functions) > 1 for functions in asked.values()):
        raise events[-1].invalid(
            "event_source",
            f"events of bucket {bucket} that go either all to the same functions or each to one function",
        )
    notifications = [replace(one, called=tuple(functions)) for one, functions in asked.items()]
    return TemplateParts(statements=[allow(["s3:GetObject"], f"{arn}/*")], notifications=notifications)


def _called_by_id(event: StageSettings) -> str:
    function = event.text("function")
    if len(function) > _LONGEST_CALLED:
        raise event.invalid("function", f"at most {_LONGEST_CALLED} characters for events of a bucket")
    return function


def _notification(bucket: str, source: StageSettings) -> BucketNotification:
    """Read both ``key_filters``, as in zappa's manual, and ``prefix`` and ``suffix``, as in its code."""
    filters = {one.text("type"): one.text("value") for one in source.sections("key_filters")}
    return BucketNotification(
        bucket,
        FUNCTION,
        tuple(source.texts("events", ("s3:ObjectCreated:*",))),
        prefix=source.text("prefix") or filters.get("prefix", ""),
        suffix=source.text("suffix") or filters.get("suffix", ""),
    )


def _event_patterns(event: StageSettings) -> list[TemplateParts]:
    """Make rules for an ``events:`` source. They pass the function's name as a direct call does."""
    source = event.section("event_source")
    if not source.values or _service(source.text("arn"), source) != "events":
        return []
    pattern = source.values.get("event_pattern", source.values.get("pattern"))
    if isinstance(pattern, str):
        try:
            pattern = json.loads(pattern)
        except ValueError as error:
            raise source.invalid("event_pattern", "JSON") from error
    schedule = source.text("schedule_expression") or source.text("schedule")
    if not (isinstance(pattern, dict) or schedule):
        raise source.invalid("event_pattern", "a pattern of events")
    function = event.text("function")
    # With a detail-type, the handler would take a schedule's event for one of zappa's own.
    passed = tuple(name for name in _EVENT_FIELDS if name != "detail-type")
    properties: dict[str, Any] = {
        "State": "ENABLED" if source.flag("enabled", default=True) else "DISABLED",
        "Targets": [_target("command", function, passed)],
    }
    if isinstance(pattern, dict):
        properties["EventPattern"] = pattern
    if schedule:
        properties["ScheduleExpression"] = schedule
    bus = _other_bus(source.text("arn"))
    if bus and not schedule:  # EventBridge has schedules on the default bus only
        properties["EventBusName"] = bus
    return [TemplateParts(_rule(f"Pattern{short_hash([function, pattern, schedule])}", properties))]


def _other_bus(arn: str) -> str | None:
    """Return the ARN of the bus that the ARN of a bus or of a rule names; None if it is the default one."""
    place, _, resource = arn.rpartition(":")
    parts = resource.split("/")
    name = parts[1] if len(parts) > 1 and (parts[0] == "event-bus" or len(parts) > 2) else "default"
    return None if name == "default" else f"{place}:event-bus/{name}"


def async_task_parts(settings: StageSettings, function: str) -> TemplateParts:
    """Return what ``zappa.asynchronous`` needs: the right to call the function, a topic, a table for answers."""
    own = f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{function}"
    parts = TemplateParts(statements=[allow(["lambda:InvokeFunction"], sub(own), sub(f"{own}:*"))])
    make = settings.flag("async_resources", default=True)
    if tasks_use_topic(settings):
        parts.add(_task_topic(f"{function}-zappa-async", make=make))
    if table := settings.text("async_response_table"):
        parts.add(_task_table(settings, table, make=make))
    return parts


def tasks_use_topic(settings: StageSettings) -> bool:
    """Return whether tasks go through a topic, which zappa names after the function."""
    source = settings.text("async_source", "lambda")
    if source not in ("lambda", "sns"):
        raise settings.invalid("async_source", "'lambda' or 'sns'")
    return source == "sns"


def _task_topic(name: str, *, make: bool) -> TemplateParts:
    arn = sub(f"arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{name}")
    parts = TemplateParts(statements=[allow(["sns:Publish"], arn)])
    if make:
        subscription = {"TopicArn": {"Ref": "TaskTopic"}, "Protocol": "lambda", "Endpoint": FUNCTION_ARN}
        parts.resources = {
            "TaskTopic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}},
            "TaskSubscription": {"Type": "AWS::SNS::Subscription", "Properties": subscription},
            "TaskTopicPermission": invoke_permission("sns.amazonaws.com", {"Ref": "TaskTopic"}),
        }
    return parts


def _task_table(settings: StageSettings, table: str, *, make: bool) -> TemplateParts:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", table):
        raise settings.invalid("async_response_table", "the name of a DynamoDB table")
    arn = sub(f"arn:${{AWS::Partition}}:dynamodb:${{AWS::Region}}:${{AWS::AccountId}}:table/{escape_sub(table)}")
    parts = TemplateParts(statements=[allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], arn)])
    if make:
        properties = {
            "TableName": table,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "ProvisionedThroughput": {
                "ReadCapacityUnits": settings.number("async_response_table_read_capacity", 1),
                "WriteCapacityUnits": settings.number("async_response_table_write_capacity", 1),
            },
            "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
        }
        parts.resources = {"TaskTable": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}
    return parts


def cognito_and_bot_parts(settings: StageSettings) -> TemplateParts:
    """Return permissions and warnings for user pools and bots, whose triggers are set by hand."""
    parts = TemplateParts()
    if cognito := settings.mapping("cognito"):
        pool = str(cognito.get("user_pool", ""))
        if not re.fullmatch(r"[\w-]+_[0-9a-zA-Z]+", pool):
            raise settings.section("cognito").invalid("user_pool", "the id of a user pool")
        arn = f"arn:${{AWS::Partition}}:cognito-idp:${{AWS::Region}}:${{AWS::AccountId}}:userpool/{pool}"
        parts.resources["CognitoPermission"] = invoke_permission("cognito-idp.amazonaws.com", sub(arn))
        parts.warnings.append(f"point the triggers of user pool {pool} at the function's alias `live`, once")
    if settings.values.get("bot_events"):
        parts.warnings.append("point the Lex bot at the function's alias `live`, and let it invoke that, once")
    return parts


def called_functions(settings: StageSettings) -> Iterator[tuple[str, str]]:
    """Yield functions that the handler looks up only when their event arrives."""
    for name in ("events", "bot_events"):
        for index, event in enumerate(settings.sections(name)):
            yield f"{name}[{index}].function", event.text("function")
    for index, trigger in enumerate(settings.section("cognito").sections("triggers")):
        yield f"cognito.triggers[{index}].function", trigger.text("function")
    if function := settings.section("authorizer").text("function"):
        yield "authorizer.function", function
    if function := settings.text("exception_handler"):
        yield "exception_handler", function
