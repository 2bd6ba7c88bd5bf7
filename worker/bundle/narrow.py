"""Narrows the rights that frameworks ask for on every resource to those of the app.

chalice lets every function write to every log group, and read every queue if it has one as event source. The uploader
did not ask for that, so it is neither refused nor granted: it becomes what the app needs of it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import Place, listed, namespace

Statement = Mapping[str, Any]

_BY_NAMESPACE = frozenset(
    {
        "cloudwatch:putmetricdata",
        "ec2:assignprivateipaddresses", "ec2:createnetworkinterface", "ec2:deletenetworkinterface",
        "ec2:describenetworkinterfaces", "ec2:describesubnets", "ec2:detachnetworkinterface",
        "ec2:unassignprivateipaddresses",
        "logs:createloggroup", "logs:createlogstream", "logs:putlogevents",
        "xray:puttelemetryrecords", "xray:puttracesegments",
    }
)  # fmt: skip
_BY_EVENT_SOURCE = frozenset(
    {
        "dynamodb:describestream", "dynamodb:getrecords", "dynamodb:getsharditerator", "dynamodb:liststreams",
        "kinesis:describestream", "kinesis:getrecords", "kinesis:getsharditerator", "kinesis:liststreams",
        "sqs:deletemessage", "sqs:getqueueattributes", "sqs:receivemessage",
    }
)  # fmt: skip
_SERVICES = {"AWS::DynamoDB::Table": "dynamodb", "AWS::Kinesis::Stream": "kinesis", "AWS::SQS::Queue": "sqs"}
_CONNECTIONS = "execute-api:manageconnections"
NARROWED = _BY_NAMESPACE | _BY_EVENT_SOURCE | {_CONNECTIONS}
"""Actions, in lower case, that are narrowed where they are asked for on every resource."""
_KIND = "event-bus/|function:|key/|log-group:|parameter/|rule/|secret:|stream/|table/"
_WIDE = re.compile(rf"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:({_KIND})?\*.*", re.DOTALL)


def is_wide(resource: str) -> bool:
    """Tell whether a resource of a statement stands for every one of a kind."""
    return _WIDE.fullmatch(resource) is not None


def narrowed(template: Template, app: App, place: Place) -> Template:
    """Return a template whose roles ask for such actions on what is the app's own; the input is not changed.

    Args:
        template: a published one.
        app: whose.
        place: of the pipeline.
    """
    made = copy.deepcopy(template)
    narrower = _Narrower(made["Resources"], app, place)
    for resource in made["Resources"].values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::IAM::Role":
                policies = properties.get("Policies", [])
                for policy in policies if isinstance(policies, list) else [policies]:
                    narrower.narrow(policy)
            case "AWS::IAM::Policy":
                narrower.narrow(properties)
    return made


class _Narrower:
    def __init__(self, resources: Mapping[str, Any], app: App, place: Place) -> None:
        self._resources = resources
        self._own = namespace(app, place)["Statement"]

    def narrow(self, policy: Any) -> None:
        """Rewrite the statements of a policy in place; one that would be left without any stays as it is."""
        document = policy.get("PolicyDocument") if isinstance(policy, Mapping) else None
        if not isinstance(document, dict):
            return
        statements = [new for old in listed(document.get("Statement", [])) for new in self._statement(old)]
        if statements:
            document["Statement"] = statements

    def _statement(self, statement: Any) -> Iterator[Any]:
        if not _is_narrowable(statement):
            yield statement
            return
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        common = [action for action in actions if isinstance(action, str) and action.lower() in NARROWED]
        wide = [one for one in resources if isinstance(one, str) and is_wide(one)]
        if not (common and wide):
            yield statement
            return
        rest = {name: value for name, value in statement.items() if name != "Sid"}
        if others := [action for action in actions if action not in common]:
            yield {**rest, "Action": others}
        if named := [one for one in resources if one not in wide]:
            yield {**rest, "Action": common, "Resource": named}
        for action in common:
            yield from self._own_resources(rest, action)

    def _own_resources(self, rest: Statement, action: str) -> Iterator[Statement]:
        if action.lower() in _BY_EVENT_SOURCE:
            if sources := list(self._event_sources(action.lower().partition(":")[0])):
                yield {**rest, "Action": [action], "Resource": sources}
        elif action.lower() == _CONNECTIONS:
            if apis := list(self._apis()):
                yield {**rest, "Action": [action], "Resource": apis}
        else:
            for own in self._own:
                if action.lower() in map(str.lower, own["Action"]):
                    condition = {"Condition": own["Condition"]} if "Condition" in own else {}
                    yield {**rest, "Action": [action], "Resource": own["Resource"], **condition}

    def _event_sources(self, service: str) -> Iterator[Any]:
        for one in self._resources.values():
            source = one.get("Properties", {}).get("EventSourceArn")
            if one["Type"] == "AWS::Lambda::EventSourceMapping" and self._service(source) == service:
                yield source

    def _service(self, source: Any) -> str | None:
        """Return the service of an event source, which is named by ARN, or by reference to a resource of the app."""
        match source:
            case str(arn) | {"Fn::Sub": str(arn)} if arn.startswith("arn:"):
                return (arn.split(":") + [""] * 3)[2]
            case {"Fn::GetAtt": [str(name), _]}:
                return _SERVICES.get(self._resources.get(name, {}).get("Type", ""))
        return None

    def _apis(self) -> Iterator[Any]:
        arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}"
        for name, one in self._resources.items():
            if one["Type"] == "AWS::ApiGatewayV2::Api":
                yield {"Fn::Sub": f"{arn}:${{{name}}}/*"}


def _is_narrowable(statement: Any) -> bool:
    """Tell whether a statement is of the kind that frameworks write: one with a condition is somebody's own."""
    return isinstance(statement, Mapping) and {"Effect", "Action", "Resource"} <= statement.keys() <= {
        "Sid", "Effect", "Action", "Resource",
    } and statement["Effect"] == "Allow"  # fmt: skip
