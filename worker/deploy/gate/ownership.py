"""The ownership check: whatever a template names is its own, in the app's namespace, or granted.

It applies the table in `worker.deploy.gate.properties`: each property of each resource is looked up there, and refused
if it is unknown, so that a new property of AWS does not slip through.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from auto_lambda.grants import may_hold
from auto_lambda.model import BucketNotification
from worker.deploy.gate import api_body
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.event_patterns import may_match_pipeline
from worker.deploy.gate.namespace import Namespace
from worker.deploy.gate.properties import PROPERTIES, PropertyRule
from worker.deploy.gate.symbols import Unreadable, lone_symbol, readable, render
from worker.deploy.gate.template import TemplateView, Violation, invoked
from worker.model import DeployTarget

_KEPT = frozenset({"AWS::Lambda::LayerVersion", "AWS::Lambda::Version"})  # what a rollback needs
_DEFAULT_BUS = "default"
_INTEGRATION = "integrations/"  # in the target of a route


@dataclass(slots=True)
class _Node:
    """A place in the table: its rule, or the places below it."""

    rule: PropertyRule | None = None
    below: dict[str, _Node] = field(default_factory=dict)


def problems(
    view: TemplateView, access: AppAccess, target: DeployTarget, notifications: Iterable[BucketNotification] = ()
) -> Iterator[Violation]:
    """Yield whatever the template names that is not its own and not granted.

    Args:
        view: a final template, which holds only types that the allow-list allows.
        access: the app and its grants.
        target: the pipeline's own resources, which are granted to nobody.
        notifications: the bucket notifications that will be added after the stack.
    """
    space = Namespace(access, target, view)
    for name, resource in sorted(view.resources.items()):
        yield from (Violation(name, why) for why in judge(space, resource))
    for item in notifications:
        if not space.is_reserved(item.bucket) and not space.may_point_at(item.bucket, ("buckets",)):
            yield Violation(item.function, f"events of bucket {_refusal(space, item.bucket, ('buckets',))}")


def judge(space: Namespace, resource: Mapping[str, Any]) -> Iterator[str]:
    """Yield whatever one resource names that is not its own and not granted."""
    kind = resource["Type"]
    properties = resource.get("Properties", {})
    named = api_body.placed(properties.get("Body", {})) if kind == "AWS::ApiGateway::RestApi" else ()
    for path, value, rule in (*_placed(_tree(kind), properties, ""), *named):
        yield from (f"{path}{why}" for why in _judge(space, kind, value, rule))
    yield from _retention(resource)
    if kind == "AWS::Events::Rule":
        yield from _heard(space, properties)


@cache
def _tree(kind: str) -> _Node:
    top = _Node()
    for path, rule in PROPERTIES[kind].items():
        node = top
        for part in path.replace("[]", ".[]").split("."):
            node = node.below.setdefault(part, _Node())
        node.rule = rule
    return top


def _placed(node: _Node, value: Any, path: str) -> Iterator[tuple[str, Any, PropertyRule | None]]:
    """Yield each value that has a rule, or that the table does not know."""
    if node.rule is not None or not node.below:
        yield path, value, node.rule
    elif "[]" in node.below:
        for item in value if isinstance(value, list) else [value]:
            yield from _placed(node.below["[]"], item, path)
    elif isinstance(value, Mapping):
        for key, item in sorted(value.items()):
            below = node.below.get(key) or node.below.get("*") or _Node()
            yield from _placed(below, item, f"{path}.{key}" if path else key)
    else:
        yield path, value, None


def _judge(space: Namespace, kind: str, value: Any, rule: PropertyRule | None) -> Iterator[str]:
    if rule is None:
        yield " is not on the list of what apps may set"
        return
    match rule.kind:
        case "never":
            yield " is not allowed"
        case "plain":
            yield from () if _is_plain(value) else (": it must be text or a number",)
        case "name":
            yield from _named(space, kind, value, rule)
        case "points":
            yield from _pointed(space, value, rule)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return not isinstance(value, Mapping) or _text(value) is not None


def _named(space: Namespace, kind: str, value: Any, rule: PropertyRule) -> Iterator[str]:
    rendered = _text(value)
    name = "" if rendered is None else space.concrete(rendered)
    arn = f"arn:aws:dynamodb:{space.target.region}:{space.account}:table/{name}" if rule.grants else ""
    if space.may_name(kind, name) or space.is_granted(arn, rule.grants):
        return
    app = space.access.app
    yield (
        f": the name {_shown(rendered)} is not the app's own: leave it out, or use {app.function} "
        f"or a name that begins with {app.function}_{_grant(arn, rule.grants)}"
    )


def _pointed(space: Namespace, value: Any, rule: PropertyRule) -> Iterator[str]:
    rendered = _text(value)
    if rendered is None:
        yield ": it cannot be read: give it as text, or by Ref, Fn::GetAtt, Fn::Sub or Fn::Join"
        return
    rendered = invoked(value).removeprefix(_INTEGRATION)
    if _refers_to_own(space.view, rendered, rule):
        return
    pointed = space.concrete(rendered)
    if rule.own and "Logs::LogGroup" in rule.own and space.may_name("AWS::Logs::LogGroup", pointed):
        return
    if not space.may_point_at(pointed, rule.grants):
        yield f": it names {_refusal(space, pointed, rule.grants, rule.own)}"


def _refers_to_own(view: TemplateView, rendered: str, rule: PropertyRule) -> bool:
    name, _, attribute = (lone_symbol(rendered) or "").partition(".")
    kind = str(view.resources.get(name, {}).get("Type")).removeprefix("AWS::")
    return (f"{kind}.{attribute}" if attribute else kind) in rule.own


def _refusal(space: Namespace, value: str, lists: tuple[str, ...], own: tuple[str, ...] = ()) -> str:
    said = f"{_shown(value)}, {space.whose(value)}"
    if space.is_reserved(value):
        return said
    if own:
        kinds = dict.fromkeys(one.partition(".")[0] for one in own)
        said += f"; refer to a {' or '.join(kinds)} of this template"
    return said + _grant(value, lists)


def _grant(value: str, lists: tuple[str, ...]) -> str:
    """Say which grant would allow a value."""
    if not lists or "\x01" in value:
        return ""
    wanted = " or ".join(f"grants: {one}: {json.dumps([value])}" for one in lists if may_hold(one, value))
    if not wanted:
        return f"; nobody can be granted it here, where it may be one of the granted {' or '.join(lists)}"
    return f"; or ask the platform team for {wanted}"


def _heard(space: Namespace, rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield a pattern for the account's bus that may match the pipeline's events. Other buses are granted as such."""
    bus = space.concrete(_text(rule.get("EventBusName", _DEFAULT_BUS)) or "").rpartition("/")[2]
    if bus != _DEFAULT_BUS or not may_match_pipeline(rule.get("EventPattern")):
        return
    arn = f"arn:aws:events:{space.target.region}:{space.account}:event-bus/{_DEFAULT_BUS}"
    if not space.is_granted(arn, ("buses",)):
        yield (
            "EventPattern: it may match the pipeline's own events, which tell of every app: list the sources that the "
            f'app wants, as in {{"source": ["aws.s3"]}}{_grant(arn, ("buses",))}'
        )


def _retention(resource: Mapping[str, Any]) -> Iterator[str]:
    allowed = {None, "Delete"} | ({"Retain", "RetainExceptOnCreate"} if resource["Type"] in _KEPT else set())
    for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
        if resource.get(attribute) not in allowed:
            yield f"{attribute}: only Delete is allowed, or the resource would outlive the app"


def _text(value: Any) -> str | None:
    try:
        return render(value)
    except Unreadable:
        return None


def _shown(value: str | None) -> str:
    return readable(value) if value else "something that cannot be read"
