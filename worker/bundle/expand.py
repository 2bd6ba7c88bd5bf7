"""The template between two releases: everything new beside all that is live. Pure.

What leads to a function stays as it is: aliases, routes, triggers, permissions. So nobody is led to what is new.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from auto_lambda.model import Template
from worker.bundle import log_groups, pointers
from worker.bundle.references import referenced

Resource = Mapping[str, Any]

UNPUBLISHED = frozenset({"Tags", "ReservedConcurrentExecutions", "RecursiveLoop"})
"""Properties of a function that no version has: they count for what is live at once."""
_FUNCTION, _ALIAS, _ROLE, _POLICY = (
    "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::IAM::Role", "AWS::IAM::Policy",
)  # fmt: skip
_LEADING = (
    "AWS::ApiGateway::", "AWS::ApiGatewayV2::", "AWS::Events::", "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission", "AWS::Lambda::Url",
    "AWS::Route53::", "AWS::SNS::Subscription", "AWS::Scheduler::",
)  # fmt: skip
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: all inline policies of a role together
_MOST_POLICY_CHARACTERS = 10_240


def expanded(live: Template | None, wanted: Template) -> Template:
    """Return a template with what a release needs before it is live, and with all that is live as it is.

    Once more with its own result, it returns the same.

    Args:
        live: what the stack has; None if there is none.
        wanted: the release.
    """
    if live is None:
        return _first(wanted)
    behind = _behind(wanted["Resources"])
    resources = dict(live["Resources"])
    for name in behind:
        new = wanted["Resources"][name]
        resources[name] = _beside(resources[name], new) if name in resources else new
    return _with_sections({**live, "Resources": resources}, (wanted, live), live.get("Outputs", {}))


def renamed(live: Template, wanted: Template) -> list[str]:
    """Return the functions that would be another one under the same logical id: both cannot be in one stack."""
    return [
        name
        for name in pointers.functions(wanted)
        if live["Resources"].get(name, {}).get("Type") == _FUNCTION
        and live["Resources"][name]["Properties"].get("FunctionName")
        != wanted["Resources"][name]["Properties"].get("FunctionName")
    ]


def _first(wanted: Template) -> Template:
    kept = _behind(wanted["Resources"])
    resources = {name: one for name, one in wanted["Resources"].items() if name in kept}
    outputs = {
        name: one
        for name, one in wanted.get("Outputs", {}).items()
        if all(it in kept or it.startswith("AWS::") for it in referenced(one))
    }
    return _with_sections({**wanted, "Resources": resources}, (wanted,), outputs)


def _with_sections(template: Template, sources: Iterable[Template], outputs: Mapping[str, Any]) -> Template:
    """Return a template with the parameters and conditions that its resources need, and no others."""
    made: dict[str, Any] = {**template, "Outputs": dict(outputs)}
    given: dict[str, Any] = {}
    for source in sources:
        given |= source.get("Parameters", {})
    parameters, conditions = log_groups.sections(made)
    pointing = {name: given[name] for name in pointers.declared(made) if name in given}
    for section, content in (("Parameters", parameters | pointing), ("Conditions", conditions), ("Outputs", outputs)):
        made.pop(section, None)
        made.update({section: dict(content)} if content else {})
    return made


def _behind(resources: Mapping[str, Resource]) -> frozenset[str]:
    """Return what functions need: all that does not lead to them, and of that what something else refers to."""
    needs = {name: _needs(one, resources) for name, one in resources.items()}
    leading = {name for name, one in resources.items() if one["Type"] == _ALIAS}
    while more := {name for name, found in needs.items() if name not in leading and found & leading}:
        leading |= more
    found = {name for name, one in resources.items() if name not in leading and not one["Type"].startswith(_LEADING)}
    while more := {it for name in found for it in needs[name]} - found:
        found |= more
    return frozenset(found)


def _needs(one: Resource, resources: Mapping[str, Resource]) -> frozenset[str]:
    depends = one.get("DependsOn", [])
    listed = [depends] if isinstance(depends, str) else depends
    return frozenset(it for it in (*referenced(dict(one)), *listed) if it in resources)


def _beside(live: Resource, new: Resource) -> Resource:
    """Return one resource of both releases as it is between them."""
    kind = new["Type"]
    if live == new or kind != live["Type"] or kind.startswith(_LEADING):
        return live
    if kind == _FUNCTION:
        return {**new, "Properties": _unpublished(live["Properties"], new["Properties"])}
    if kind == _ROLE:
        return _both_roles(live, new)
    if kind == _POLICY:
        return _both_policies(live, new)
    return new


def _unpublished(live: Resource, new: Resource) -> Resource:
    kept = {name: value for name, value in new.items() if name not in UNPUBLISHED}
    return {**kept, **{name: value for name, value in live.items() if name in UNPUBLISHED}}


def _both_roles(live: Resource, new: Resource) -> Resource:
    """Return a role with the rights of both releases: the live versions have it as well as the new ones."""
    old, properties = live["Properties"], copy.deepcopy(dict(new["Properties"]))
    names = [one["PolicyName"] for one in properties.get("Policies", [])]
    for policy in old.get("Policies", []):
        if policy["PolicyName"] in names:
            mine = properties["Policies"][names.index(policy["PolicyName"])]
            mine["PolicyDocument"] = _both(policy["PolicyDocument"], mine["PolicyDocument"])
        else:
            properties.setdefault("Policies", []).append(policy)
    managed = [*properties.get("ManagedPolicyArns", []), *old.get("ManagedPolicyArns", [])]
    if managed:
        properties["ManagedPolicyArns"] = [one for at, one in enumerate(managed) if one not in managed[:at]]
    trust = "AssumeRolePolicyDocument"
    if trust in properties and trust in old:
        properties[trust] = _both(old[trust], properties[trust])
    if len(json.dumps(properties.get("Policies", []))) > _MOST_POLICY_CHARACTERS:
        return new
    return {**new, "Properties": properties}


def _both_policies(live: Resource, new: Resource) -> Resource:
    old, properties = live["Properties"], dict(new["Properties"])
    if {**old, "PolicyDocument": None} != {**properties, "PolicyDocument": None}:
        return new
    properties["PolicyDocument"] = _both(old["PolicyDocument"], properties["PolicyDocument"])
    too_long = len(json.dumps(properties["PolicyDocument"])) > _MOST_POLICY_CHARACTERS
    return new if too_long else {**new, "Properties": properties}


def _both(live: Resource, new: Resource) -> Resource:
    """Return a policy document with the statements of both, without their ids, which may be the same.

    That of the live one as it is, if it has all: then nothing has to change.
    """
    new_ones, live_ones = list(map(_plain, _statements(new))), list(map(_plain, _statements(live)))
    if all(one in live_ones for one in new_ones) and _apart(new) == _apart(live):
        return live
    statements: list[Any] = []
    for one in (*new_ones, *live_ones):
        if one not in statements:
            statements.append(one)
    return {**new, "Statement": statements}


def _plain(statement: Resource) -> dict[str, Any]:
    return {name: value for name, value in statement.items() if name != "Sid"}


def _apart(document: Resource) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "Statement"}


def _statements(document: Resource) -> list[Any]:
    found = document.get("Statement", [])
    return list(found) if isinstance(found, list) else [found]
