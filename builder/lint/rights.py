"""Finds triggers and settings for which a function's role lacks the rights that AWS asks for when it makes them.

Only actions are compared, since a resource may be named in many ways; what a managed policy allows is taken from the
table below, and an unknown one is taken to allow all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from auto_lambda.model import Template
from builder.lint.refusal import Refusal

# From the Lambda Developer Guide: 'Giving Lambda functions access to resources in a VPC', 'Using Lambda with SQS',
# 'Processing records from Kinesis', 'Using Lambda with DynamoDB', 'Adding a dead-letter queue'.
_NETWORK = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "kinesis": ("kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream"),
    "dynamodb": ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"),
}
_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_MOST_SHOWN = 5
_DEAD_LETTERS: Mapping[str, tuple[str, ...]] = {"sqs": ("sqs:SendMessage",), "sns": ("sns:Publish",)}
_MANAGED: Mapping[str, tuple[str, ...]] = {
    "AWSLambdaBasicExecutionRole": _LOGS,
    "AWSXRayDaemonWriteAccess": (),
    "AWSLambdaVPCAccessExecutionRole": (*_NETWORK, *_LOGS),
    "AWSLambdaSQSQueueExecutionRole": (*_SOURCES["sqs"], *_LOGS),
    "AWSLambdaKinesisExecutionRole": (*_SOURCES["kinesis"], *_LOGS),
    "AWSLambdaDynamoDBExecutionRole": (*_SOURCES["dynamodb"], *_LOGS),
}
_SERVICE = re.compile(r"arn:(?:[\w-]{1,40}|\$\{AWS::Partition\}):([a-z0-9]{1,30}):")


def findings(template: Template) -> Iterator[Refusal]:
    """Yield what the role of a function of the template does not allow, though AWS requires it."""
    resources = template["Resources"]
    for name, resource in sorted(resources.items()):
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind == "AWS::Lambda::Function":
            for path, actions in _of_function(properties):
                yield from _lacking(resources, name, kind, path, properties, actions)
        elif kind == "AWS::Lambda::EventSourceMapping":
            function = resources.get(referred(properties.get("FunctionName")), {}).get("Properties", {})
            actions = _SOURCES.get(_service(properties.get("EventSourceArn")), ())
            yield from _lacking(resources, name, kind, "EventSourceArn", function, actions)


def warnings(template: Template) -> tuple[str, ...]:
    """Return a warning for the functions whose role, as the app writes it, does not let them log."""
    resources = template["Resources"]
    silent = [
        name
        for name, resource in sorted(resources.items())
        if resource["Type"] == "AWS::Lambda::Function"
        for _ in _lacking(resources, name, resource["Type"], "Role", resource.get("Properties", {}), _LOGS)
    ]
    if not silent:
        return ()
    shown = ", ".join(silent[:_MOST_SHOWN]) + (", ..." if len(silent) > _MOST_SHOWN else "")
    return (f'{shown}: the policy lacks {" or ".join(_LOGS)}, so that nothing is logged; add both for Resource "*"',)


def _of_function(properties: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    network, dead_letters = properties.get("VpcConfig"), properties.get("DeadLetterConfig")
    if isinstance(network, dict) and network.get("SubnetIds"):
        yield "VpcConfig", _NETWORK
    if isinstance(dead_letters, dict):
        yield "DeadLetterConfig", _DEAD_LETTERS.get(_service(dead_letters.get("TargetArn")), ())


def _lacking(
    resources: Mapping[str, Any],
    name: str,
    kind: str,
    path: str,
    function: Mapping[str, Any],
    actions: tuple[str, ...],
) -> Iterator[Refusal]:
    role = referred(function.get("Role"))
    if not actions or resources.get(role, {}).get("Type") != "AWS::IAM::Role":
        return
    allowed = _allowed(resources, role)
    if allowed is None:
        return
    missing = [action for action in actions if not any(_covers(one, action) for one in allowed)]
    if missing:
        yield Refusal(name, kind, (path,), f"the role of the function does not allow {', '.join(missing)}")


def _allowed(resources: Mapping[str, Any], role: str) -> list[str] | None:
    """Return the actions that a role's policies allow, None if they cannot be known."""
    properties = resources[role].get("Properties", {})
    documents = [one.get("PolicyDocument") for one in _dicts(properties.get("Policies"))]
    for resource in resources.values():
        given = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Policy" and role in map(referred, _listed(given.get("Roles"))):
            documents.append(given.get("PolicyDocument"))
    allowed: list[str] = []
    for managed in _listed(properties.get("ManagedPolicyArns")):
        name = managed.rpartition("/")[2] if isinstance(managed, str) else ""
        if name not in _MANAGED:
            return None
        allowed += _MANAGED[name]
    for document in _dicts(documents):
        for statement in _dicts(_listed(document.get("Statement"))):
            if statement.get("Effect") == "Allow":
                if "NotAction" in statement:
                    return None
                allowed += [one for one in _listed(statement.get("Action")) if isinstance(one, str)]
    return allowed


def _covers(pattern: str, action: str) -> bool:
    return len(pattern) <= len(action) + 8 and fnmatchcase(action.lower(), pattern.lower())


def referred(value: Any) -> str:
    """Return the logical id that a value refers to, empty if it is anything else."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            return name
        case {"Fn::GetAtt": str(path)}:
            return path.partition(".")[0]
        case {"Fn::Sub": str(text)} if found := re.fullmatch(r"\$\{(\w{1,255})(?:\.\w{1,80})?\}", text):
            return found[1]
    return ""


def _service(arn: Any) -> str:
    """Return the service of an ARN, empty where a function makes it."""
    text = arn.get("Fn::Sub") if isinstance(arn, dict) else arn
    found = _SERVICE.match(text) if isinstance(text, str) else None
    return found[1] if found else ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _listed(value) if isinstance(one, dict))
