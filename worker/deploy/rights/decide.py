"""Decides whether an app's role may hold a permission: the app's namespace or its grants must cover it.

The comparison is of texts, and errs on the side of refusing: an action or resource with wildcards is covered only by a
pattern that matches everything that it matches. docs/reference/grants.md says the same for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from auto_lambda.grants import Grants
from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import QUEUE_ACTIONS, TABLE_ACTIONS, TOPIC_ACTIONS, Place, namespace
from worker.deploy.gate.patterns import covers
from worker.deploy.gate.symbols import lone_symbol, symbol, symbols
from worker.deploy.rights.permissions import Permission

Statement = Mapping[str, Any]

_SERVICES = {
    "AWS::ApiGateway::RestApi": "execute-api",
    "AWS::ApiGatewayV2::Api": "execute-api",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::Lambda::Function": "lambda",
    "AWS::Lambda::Alias": "lambda",
    "AWS::SNS::Topic": "sns",
    "AWS::SQS::Queue": "sqs",
    "AWS::Logs::LogGroup": "logs",
}
"""Types of resources of an app's own that its roles may name, and their service in ARNs."""
_ARN_BY_REF = frozenset({"AWS::SNS::Topic", "AWS::Lambda::Alias"})
_NAMES = {
    "AWS::DynamoDB::Table": ("TableName", "table/"),
    "AWS::Lambda::Function": ("FunctionName", "function:"),
    "AWS::SNS::Topic": ("TopicName", ""),
    "AWS::SQS::Queue": ("QueueName", ""),
    "AWS::Logs::LogGroup": ("LogGroupName", "log-group:"),
}
"""The property that names such a resource, and what stands before the name in its ARN."""
_STREAM_ACTIONS = (
    "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
    "kinesis:Describe*", "kinesis:Get*", "kinesis:List*", "kinesis:SubscribeToShard",
)  # fmt: skip


_BY_REFERENCE = frozenset({"OwnConnections", "OwnResources"})
"""Statements of the namespace that name no resource of the app; only a reference into the template does."""


@dataclass(frozen=True)
class Rights:
    """What the roles of one app may hold.

    Attributes:
        app: whose.
        place: of the pipeline.
        grants: what it may reach beyond its namespace.
        template: its references lead to the app's own resources.
    """

    app: App
    place: Place
    grants: Grants
    template: Template

    def allow(self, permission: Permission) -> bool:
        """Tell whether a role may hold a permission."""
        match permission.effect:
            case "Deny":
                return True
            case "Attach":
                return any(covers(granted, permission.resource) for granted in self.grants.managed_policies)
            case "Assume":
                return any(covers(granted, permission.resource) for granted in self.grants.roles)
        if not permission.action:
            return False
        if service := own_service(permission.resource, self.template, self.place):
            return self._own_resource(permission, service)
        return covered(permission, self._literal)

    def _own_resource(self, permission: Permission, service: str) -> bool:
        """Tell whether an action may be done to resources of the app's stack; which one is no question."""
        return any(
            covers(action.lower(), permission.action.lower())
            for statement in self._own
            for action in _texts(statement.get("Action"))
            if action.startswith(f"{service}:")
        )

    @cached_property
    def _own(self) -> tuple[Statement, ...]:
        return tuple(namespace(self.app, self.place)["Statement"])

    @cached_property
    def _literal(self) -> tuple[Statement, ...]:
        own = (one for one in self._own if one["Sid"] not in _BY_REFERENCE)
        return (*map(_held_by_name, own), *granted(self.grants))


LIST_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "queues": QUEUE_ACTIONS,
    "topics": TOPIC_ACTIONS,
    "streams": _STREAM_ACTIONS,
    "tables": TABLE_ACTIONS,
    "keys": ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"),
    "buses": ("events:PutEvents",),
    "functions": ("lambda:InvokeFunction*",),
}
"""What a role may do with the resources of a list of grants."""


def granted(grants: Grants) -> Iterator[Statement]:
    """Yield grants as statements: the lists allow what one does with such a resource."""
    yield from grants.statements
    for name, actions in LIST_ACTIONS.items():
        if arns := getattr(grants, name):
            indexes = [f"{arn}/index/*" for arn in arns] if name == "tables" else []
            yield {"Action": list(actions), "Resource": [*arns, *indexes]}
    for arn in grants.file_systems:
        condition = {"StringEquals": {"elasticfilesystem:AccessPointArn": arn}}
        yield {"Action": "elasticfilesystem:Client*", "Resource": "*", "Condition": condition}


def own_service(resource: str, template: Template, place: Place) -> str | None:
    """Return the service of the template's own resource that a rendered ARN is of, or leads below; None for others."""
    resources = template.get("Resources", {})
    names = symbols(resource)
    if not names:
        return _own_by_name(resource, resources, place)
    name, _, attribute = names[0].partition(".")
    kind = resources.get(name, {}).get("Type", "")
    service = _SERVICES.get(kind)
    before, _, after = resource.partition(symbol(names[0]))
    if len(names) > 1 or service is None or not _is_below(after):
        return None
    if not before:
        whole_arn = attribute.endswith("Arn") or (not attribute and kind in _ARN_BY_REF)
        return service if whole_arn else None
    return (
        service if before in {place.arn(service, part) for part in ("", "table/", "function:", "log-group:")} else None
    )


def _own_by_name(resource: str, resources: Mapping[str, Any], place: Place) -> str | None:
    for one in resources.values():
        kind = one.get("Type", "")
        named, before = _NAMES.get(kind, ("", ""))
        name = one.get("Properties", {}).get(named) if named else None
        if isinstance(name, str):
            arn = place.arn(_SERVICES[kind], f"{before}{name}")
            if resource.startswith(arn) and _is_below(resource.removeprefix(arn)):
                return _SERVICES[kind]
    return None


def _is_below(rest: str) -> bool:
    """Tell whether what follows an ARN does not make another name of its last part."""
    return rest == "" or rest[0] in "/:"


def _held_by_name(statement: Statement) -> Statement:
    """Return a statement of the namespace as a role has to hold it: the name of its own bucket needs no condition."""
    if statement["Sid"] != "OwnBucket":
        return statement
    return {name: value for name, value in statement.items() if name != "Condition"}


def covered(permission: Permission, statements: Iterable[Statement]) -> bool:
    """Tell whether one of some statements allows everything that a permission allows."""
    return any(_covered(permission, statement) for statement in statements)


def _covered(permission: Permission, statement: Statement) -> bool:
    if statement.get("Effect", "Allow") != "Allow" or lone_symbol(permission.resource):
        return False
    return (
        any(covers(one.lower(), permission.action.lower()) for one in _texts(statement.get("Action")))
        and any(covers(one, permission.resource) for one in _texts(statement.get("Resource")))
        and _condition_met(permission, statement)
    )


def _condition_met(permission: Permission, statement: Statement) -> bool:
    condition = statement.get("Condition")
    if not condition:
        return True
    return json.dumps(condition, sort_keys=True, separators=(",", ":")) == permission.condition


def _texts(value: Any) -> Iterable[str]:
    listed = value if isinstance(value, list | tuple) else [value]
    return (one for one in listed if isinstance(one, str))
