"""Mutants: a template that has every admitted property, with one of them pointing at somebody else's."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from drafts import ACCOUNT

from auto_lambda.model import Template
from worker.deploy.gate import ownership, texts
from worker.deploy.gate.namespace import Namespace
from worker.deploy.gate.properties import PROPERTIES, PropertyRule

_OTHER = "999999999999"
_RUN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:al-bank-prod-Api-X1"
_RESOLVE = "{{resolve:ssm:/prod/password}}"

FOREIGN: dict[str, Any] = {
    "a function of another app": _RUN,
    "its alias": f"{_RUN}:live",
    "a queue of another app": f"arn:aws:sqs:us-east-1:{ACCOUNT}:al-bank-prod-Jobs-X1",
    "a topic of another app": f"arn:aws:sns:us-east-1:{ACCOUNT}:al-bank-prod-News-X1",
    "a table's stream of another app": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/al-bank-prod-T-X1/stream/2026",
    "a layer of another app": f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:al-bank-prod:1",
    "a role of another app": f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/al-bank-prod-Role-X1",
    "a log group of another app": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/al-bank-prod:*",
    "a name of another app": "al-bank-prod",
    "a log group's name": "/aws/lambda/bank-prod",
    "the pipeline's queue": f"arn:aws:sqs:us-east-1:{ACCOUNT}:pipeline-Queue-X1",
    "the pipeline's bucket": "arn:aws:s3:::uploads",
    "the pipeline's topic": f"arn:aws:sns:us-east-1:{ACCOUNT}:pipeline-AlarmTopic-X1",
    "the pipeline's index": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/ledger/index/recent",
    "a queue of another account": f"arn:aws:sqs:us-east-1:{_OTHER}:jobs",
    "a topic of another account": f"arn:aws:sns:us-east-1:{_OTHER}:jobs",
    "a key of another account": f"arn:aws:kms:us-east-1:{_OTHER}:key/12345678-1234-1234-1234-123456789012",
    "a role of another account": f"arn:aws:iam::{_OTHER}:role/auto-lambda/shared/data",
    "an administrator": "arn:aws:iam::aws:policy/AdministratorAccess",
    "joined": {"Fn::Join": ["", ["arn:aws:sqs:us-east-1:", {"Ref": "AWS::AccountId"}, ":al-bank-", "prod-Jobs-X1"]]},
    "substituted": {"Fn::Sub": ["${a}${b}", {"a": "al-bank", "b": "-prod"}]},
    "through a reference": {"Fn::Sub": f"arn:aws:sqs:us-east-1:{ACCOUNT}:${{RestStage}}"},
    "everything": "*",
}
UNSAFE: dict[str, Any] = {
    "a dynamic reference": _RESOLVE,
    "with spaces": "{{ ReSolve :ssm:/prod/password}}",
    "joined": {"Fn::Join": ["", ["{{res", "olve:ssm:/prod/password}}"]]},
    "joined by the word": {"Fn::Join": ["resolve", ["{{", ":ssm:/prod/password}}"]]},
    "substituted": {"Fn::Sub": ["{{${a}:ssm:/prod/password}}", {"a": "resolve"}]},
    "through a reference": {"Fn::Sub": "{{${RestStage}:ssm:/prod/password}}"},
    "with a control character": "{{\x00resolve:ssm:/prod/password}}",
    "with an invisible character": "{{\u200bresolve:ssm:/prod/password}}",
    "in a key": {_RESOLVE: "x"},
    "a control character": "a\x07b",
    "taken out later": {"Ref": "AWS::NoValue"},
    "of nothing": {"Ref": "Nowhere"},
    "imported": {"Fn::ImportValue": "vpc"},
    "that cannot be read": {"Fn::Join": ["", {"Ref": "Api"}]},
}


def every_property(template: Template) -> Iterator[tuple[str, str, PropertyRule]]:
    """A resource of the template for each type, with each path that the table has for it."""
    ids = {one["Type"]: name for name, one in sorted(template["Resources"].items())}
    for kind, paths in PROPERTIES.items():
        for path, rule in paths.items() if kind in ids else ():
            yield ids[kind], path, rule


def mutants(template: Template) -> Iterator[tuple[str, str, Template]]:
    """Each property with each foreign value, where it could name anything, and with each unsafe value everywhere."""
    for name, path, rule in every_property(template):
        values = dict(UNSAFE)
        if rule.kind in {"name", "points", "never"}:
            values |= {f"{what}, foreign": value for what, value in FOREIGN.items()}
        for what, value in values.items():
            yield f"{template['Resources'][name]['Type']} {path}: {what}", name, changed(template, name, path, value)


def refused_at_once(space: Namespace, resource: dict[str, Any], mutant: Template) -> bool:
    """Tell whether a check of a single resource refuses a mutant; these are the fastest."""
    known = frozenset(mutant["Resources"]) | {"AWS::AccountId", "AWS::Partition", "AWS::Region"}
    return any(True for _ in ownership.judge(space, resource)) or any(True for _ in texts.judge(resource, known))


def changed(template: Template, name: str, path: str, value: Any) -> Template:
    """The template with one property set; everything beside the way to it is shared with the original."""
    resource = template["Resources"][name]
    properties = _set(resource.get("Properties", {}), path.replace("[]", ".[]").split("."), value)
    return {**template, "Resources": {**template["Resources"], name: {**resource, "Properties": properties}}}


def _set(place: Any, path: list[str], value: Any) -> Any:
    if not path:
        return copy.deepcopy(value)
    first, *rest = path
    if first == "[]":
        items = place if isinstance(place, list) else []
        return [*items[:-1], _set(items[-1] if items else None, rest, value)]
    fields: dict[str, Any] = dict(place) if isinstance(place, dict) else {}
    key = "x" if first == "*" else first
    return {**fields, key: _set(fields.get(key), rest, value)}
