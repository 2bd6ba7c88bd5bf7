"""The allow-list: what a template may contain. It comes from untrusted code, and is deployed with our rights.

It checks the resource types, and the types that can grant rights. `worker.deploy.gate.ownership` checks what each
property names, `worker.deploy.gate.wiring` that the template is wired correctly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from auto_lambda.model import Template
from auto_lambda.namespace import listed
from worker.bundle.log_groups import without_conditions
from worker.deploy.gate import texts
from worker.deploy.gate.properties import PROPERTIES
from worker.deploy.gate.symbols import Unreadable, lone_symbol, render
from worker.deploy.gate.template import Violation

_Resource = Mapping[str, Any]

_SECTIONS = frozenset({"AWSTemplateFormatVersion", "Description", "Metadata", "Outputs", "Resources"})
_ATTRIBUTES = frozenset({"Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"})
_TYPES = frozenset(PROPERTIES)
_ROLE_SERVICES = frozenset(f"{name}.amazonaws.com" for name in ("apigateway", "events", "lambda", "scheduler"))
_CALLERS = frozenset(f"{name}.amazonaws.com" for name in ("apigateway", "cognito-idp", "events", "s3", "sns"))
_ANYONE_BY_URL: tuple[Mapping[str, Any], ...] = (
    {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
)


def problems(template: Template) -> Iterator[Violation]:
    """Yield everything in the template that is not allowed."""
    template = without_conditions(template)
    for section in sorted(template.keys() - _SECTIONS):
        yield Violation(section, "this section of a template is not allowed")
    yield from texts.problems(template)
    for name, output in sorted(template.get("Outputs", {}).items()):
        if isinstance(output, Mapping) and "Export" in output:
            yield Violation(name, "outputs may not be exported")
    for name, resource in sorted(template["Resources"].items()):
        yield from (Violation(name, rule) for rule in _resource(resource, template["Resources"]))


def _resource(resource: _Resource, resources: Mapping[str, _Resource]) -> Iterator[str]:
    kind = resource.get("Type")
    if kind not in _TYPES:
        yield f"resources of type {kind} are not allowed"
        return
    for attribute in sorted(resource.keys() - _ATTRIBUTES):
        yield f"the attribute {attribute} is not allowed"
    properties = resource.get("Properties", {})
    if rule := _RULES.get(str(kind)):
        yield from rule(properties, resources)


def _role(properties: _Resource, _: Mapping[str, _Resource]) -> Iterator[str]:
    document = properties.get("AssumeRolePolicyDocument")
    statements = listed(document.get("Statement", [])) if isinstance(document, Mapping) else []
    if not statements:
        yield "its trust policy has no statement"
    for statement in statements:
        if not isinstance(statement, Mapping) or not _trusts_services_only(statement):
            names = ", ".join(sorted(_ROLE_SERVICES))
            yield f"its trust policy may only let {names} call sts:AssumeRole"


def _trusts_services_only(statement: _Resource) -> bool:
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping) or set(principal) != {"Service"}:
        return False
    services = listed(principal["Service"])
    known = all(isinstance(service, str) and service in _ROLE_SERVICES for service in services)
    return known and "NotAction" not in statement and listed(statement.get("Action")) == ["sts:AssumeRole"]


def _inline_policy(properties: _Resource, resources: Mapping[str, _Resource]) -> Iterator[str]:
    roles = [_refers_to_own(role, resources, "AWS::IAM::Role") for role in listed(properties.get("Roles", []))]
    if not roles or not all(roles):
        yield "a policy may only be put on roles of this template"


def _permission(properties: _Resource, _: Mapping[str, _Resource]) -> Iterator[str]:
    principal = properties.get("Principal")
    if principal == "*":
        if not any(rule.items() <= properties.items() for rule in _ANYONE_BY_URL):
            yield "anyone may call a function through its URL only"
        return
    if not isinstance(principal, str) or principal not in _CALLERS:
        yield f"{principal!r} may not be allowed to call a function (may be: {', '.join(sorted(_CALLERS))})"
    elif "SourceArn" not in properties:
        yield "it must name the caller by SourceArn, or any account could call"


def _subscription(properties: _Resource, _: Mapping[str, _Resource]) -> Iterator[str]:
    if properties.get("Protocol") != "lambda":
        yield "a subscription may only call a function of this template"


def _refers_to_own(value: Any, resources: Mapping[str, _Resource], kind: str) -> bool:
    """Tell whether a whole value refers to a resource of this template of that type."""
    try:
        name = lone_symbol(render(value))
    except Unreadable:
        return False
    return name is not None and resources.get(name, {}).get("Type") == kind


_RULES: Mapping[str, Callable[[_Resource, Mapping[str, _Resource]], Iterator[str]]] = {
    "AWS::IAM::Policy": _inline_policy,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Permission": _permission,
    "AWS::SNS::Subscription": _subscription,
}
