"""Finds resources that wait for themselves: CloudFormation refuses a template with a circle of dependencies.

``DependsOn``, ``Ref``, ``Fn::GetAtt`` and ``Fn::Sub`` make one resource wait for another (CloudFormation User Guide,
'DependsOn attribute').
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from auto_lambda.model import Template
from builder.lint.refusal import Refusal

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]{1,255})(?:\.[^}]{0,255})?\}")
_SHOWN = 10


def findings(template: Template) -> Iterator[Refusal]:
    """Yield the first circle, and whatever a ``DependsOn`` names that is no resource of the template."""
    resources = template["Resources"]
    for name, resource in sorted(resources.items()):
        for missing in dict.fromkeys(one for one in _listed(resource.get("DependsOn")) if one not in resources):
            yield Refusal(name, resource["Type"], ("DependsOn",), f"there is no resource {missing[:100]!r}")
    waits = {
        name: [one for one in dict.fromkeys(_named(resource)) if one in resources]
        for name, resource in sorted(resources.items())
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        more = [f"... ({len(circle) - 1:,} resources)"] if len(circle) > _SHOWN else []
        told = " -> ".join([*circle[:_SHOWN], *more])
        kind = resources[circle[0]]["Type"]
        yield Refusal(circle[0], kind, (), f"the resource waits for itself (DependsOn, Ref, GetAtt or Sub): {told}")


def _named(resource: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of what a resource may wait for."""
    yield from _listed(resource.get("DependsOn"))
    left: list[Any] = [resource.get("Properties")]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            yield from _referred(value)
            left += value.values()


def _referred(value: Mapping[str, Any]) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::GetAtt": str(path)}:
            yield path.partition(".")[0]
        case {"Fn::Sub": str(text)}:
            yield from _VARIABLE.findall(text)
        case {"Fn::Sub": [str(text), dict(variables), *_]}:
            yield from (name for name in _VARIABLE.findall(text) if name not in variables)


def _listed(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, str) and one]
