"""Log groups of the app's functions, with a retention; Lambda itself would make them without one.

CloudFormation refuses to create a group that exists, as it does once a function has logged. So each group depends on a
parameter, which the deployer sets: `MADE` by the stack, or `FOUND` and left as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import Template
from worker.bundle import pointers

MADE, FOUND = "made", "found"
_GROUP = "AWS::Logs::LogGroup"
_PREFIX = "AutoLambdaLogs"
_NEEDS = "AutoLambdaLogs"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_MOST_PARAMETERS, _MOST_RESOURCES = 200, 500


def with_log_groups(template: Template, app: App, days: int) -> Template:
    """Return a published template in which functions have log groups; the input is not changed.

    A group that the template has already keeps its retention.

    Args:
        template: with or without such groups.
        app: whose.
        days: how long events stay, 0 for ever.
    """
    made = copy.deepcopy(template)
    resources = made["Resources"]
    functions = [name for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"]
    pointing = pointers.declared(made)
    room = max(0, min(_MOST_PARAMETERS - len(pointing), _MOST_RESOURCES - len(resources)))
    for function in sorted(functions)[:room]:
        if name := _group_name(resources[function].get("Properties", {}), app):
            _add(resources, function, name, days)
    parameters, conditions = sections(made)
    for section, content in (("Parameters", parameters | pointing), ("Conditions", conditions)):
        made.pop(section, None)
        made.update({section: content} if content else {})
    return made


def groups(template: Template) -> dict[str, tuple[str, str]]:
    """Return logical id and name of each group that depends on a parameter, by the parameter."""
    return {
        one["Condition"]: (name, one["Properties"]["LogGroupName"])
        for name, one in template["Resources"].items()
        if is_conditional(one)
    }


def group_of(template: Template, function: str, app: App) -> str | None:
    """Return the log group of a published function, None if it is not in the app's namespace or nobody knows."""
    return _group_name(template["Resources"].get(function, {}).get("Properties", {}), app)


def group_ids(template: Template) -> frozenset[str]:
    """Return the logical ids of the groups that depend on a parameter."""
    return frozenset(logical for logical, _ in groups(template).values())


def is_conditional(resource: Mapping[str, Any]) -> bool:
    """Tell whether a resource is a log group that depends on a parameter of ours, and on nothing else."""
    condition = resource.get("Condition")
    named = isinstance(resource.get("Properties", {}).get("LogGroupName"), str)
    return resource.get("Type") == _GROUP and named and isinstance(condition, str) and condition.startswith(_PREFIX)


def sections(template: Template) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the conditions that the groups of a template need."""
    names = sorted(groups(template))
    parameters = {name: {"Type": "String", "Default": MADE, "AllowedValues": [MADE, FOUND]} for name in names}
    return parameters, {name: {"Fn::Equals": [{"Ref": name}, MADE]} for name in names}


def without_conditions(template: Template) -> Template:
    """Return a template without the parameters and conditions that we put into each; any others stay."""
    plain = copy.deepcopy(template)
    parameters, conditions = sections(template)
    for section, content in (
        ("Parameters", parameters | pointers.declared(template)),
        ("Conditions", conditions),
    ):
        if plain.get(section) == content:
            del plain[section]
    conditional = groups(template)
    for resource in plain["Resources"].values():
        if is_conditional(resource):
            del resource["Condition"]
        if resource.get("Metadata", {}).get(_NEEDS) in [_needed(key, name) for key, (name, _) in conditional.items()]:
            del resource["Metadata"][_NEEDS]
    return plain


def _needed(condition: str, logical: str) -> dict[str, Any]:
    """Return what lets CloudFormation make a group before its function, if it makes it."""
    return {"Fn::If": [condition, {"Ref": logical}, FOUND]}


def _add(resources: dict[str, Any], function: str, name: str, days: int) -> None:
    logical = _own_group(resources, function, name)
    if logical is None:
        logical = f"{function}LogGroup"
        if logical in resources:
            return
        resources[logical] = {"Type": _GROUP, "Properties": {**({"RetentionInDays": days} if days else {})}}
    resources[logical]["Properties"]["LogGroupName"] = name
    resources[logical]["Condition"] = f"{_PREFIX}{function}"
    # The function must not make the group, nor outlive it. DependsOn may not name what depends on a condition.
    condition = resources[logical]["Condition"]
    resources[function].setdefault("Metadata", {})[_NEEDS] = _needed(condition, logical)


def _own_group(resources: Mapping[str, Any], function: str, name: str) -> str | None:
    """Return the logical id of the group that a template has for a function, in one of two forms."""
    forms = (name, {"Fn::Sub": f"/aws/lambda/${{{function}}}"})
    found = (logical for logical, one in resources.items() if one["Type"] == _GROUP)
    return next((it for it in found if resources[it].get("Properties", {}).get("LogGroupName") in forms), None)


def _group_name(function: Mapping[str, Any], app: App) -> str | None:
    """Return the log group of a function, None if it is not in the app's namespace or nobody knows yet."""
    name = function.get("FunctionName")
    group = function.get("LoggingConfig", {}).get("LogGroup") or (f"/aws/lambda/{name}" if name else None)
    own = f"/aws/lambda/{app.function}"
    return group if isinstance(group, str) and (group == own or group.startswith(f"{own}/")) else None
