"""Which version of each function is live: a parameter of the stack says it, and the alias refers to it.

A version is published and asked before the stack hears of it. So whatever CloudFormation does by itself, rolling back
included, points the alias at the number that a parameter has or had, and that one has answered.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda.model import Template

ALIAS = "live"
RELEASE_VARIABLE = "AUTO_LAMBDA_RELEASE"
_PREFIX = "AutoLambdaVersion"
_FUNCTION, _VERSION, _ALIAS = "AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias"
_DECLARED = {"Type": "String", "AllowedPattern": "[0-9]+"}
_CODE = re.compile(r"bundles/([0-9a-f]{64})\.zip")


@dataclass(frozen=True, slots=True)
class FunctionRelease:
    """What tells a version of a function apart: its stamp in `RELEASE_VARIABLE`, and its code as Lambda hashes it."""

    stamp: str
    code_sha256: str

    @property
    def name(self) -> str:
        """What it is called where its version has no number."""
        return hashlib.sha256(f"{self.stamp} {self.code_sha256}".encode()).hexdigest()[:12]


def parameter(function: str) -> str:
    """Name of the parameter with the version of a function that is live."""
    return f"{_PREFIX}{function}"


def pointer(function: str) -> dict[str, str]:
    """Return what refers to the version of a function that is live."""
    return {"Ref": parameter(function)}


def functions(template: Template) -> list[str]:
    """Return the logical ids of a template's functions."""
    return [name for name, one in sorted(template["Resources"].items()) if one["Type"] == _FUNCTION]


def declared(template: Template) -> dict[str, Any]:
    """Return the parameters that the aliases of a template need."""
    pointed = (_function_of(one) for one in template["Resources"].values() if one["Type"] == _ALIAS)
    return {parameter(name): dict(_DECLARED) for name in sorted(filter(None, pointed))}


def parameters(versions: Mapping[str, str]) -> dict[str, str]:
    """Return the values of parameters, of versions by function."""
    return {parameter(function): version for function, version in versions.items()}


def versions(values: Mapping[str, str]) -> dict[str, str]:
    """Return the versions by function, of the values of a stack's parameters."""
    return {name.removeprefix(_PREFIX): value for name, value in values.items() if name.startswith(_PREFIX)}


def release_of(template: Template, function: str) -> FunctionRelease | None:
    """Return what a version of a function is of; None if the template does not say so, as one of a stranger."""
    properties = template["Resources"].get(function, {}).get("Properties", {})
    stamp = variables(properties).get(RELEASE_VARIABLE)
    code = properties.get("Code")
    found = _CODE.fullmatch(str(code.get("S3Key"))) if isinstance(code, dict) else None
    if not isinstance(stamp, str) or not found:
        return None
    return FunctionRelease(stamp, base64.b64encode(bytes.fromhex(found[1])).decode())


def releases_of(template: Template) -> frozenset[FunctionRelease]:
    """Return what tells the versions of a release's functions apart from others."""
    found = (release_of(template, name) for name in functions(template))
    return frozenset(one for one in found if one)


def variables(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the variables of a function, as a template or Lambda describes it."""
    found: Mapping[str, Any] = described.get("Environment", {}).get("Variables", {})
    return found


def pointed(template: Template) -> Template:
    """Return a release with parameters, also one of the days when the template published versions itself.

    Its aliases then referred to a resource for each version; the input is not changed.
    """
    resources: dict[str, Any] = template["Resources"]
    published = {name: one["Properties"]["FunctionName"]["Ref"] for name, one in _published(resources)}
    if not published:
        return template
    made = copy.deepcopy(template)
    made["Resources"] = _replaced({name: one for name, one in made["Resources"].items() if name not in published},
                                  published)  # fmt: skip
    made["Outputs"] = _replaced(made.get("Outputs", {}), published)
    made["Parameters"] = {**made.get("Parameters", {}), **declared(made)}
    return made


def _published(resources: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the versions to which the aliases of earlier days refer."""
    for one in resources.values():
        match one:
            case {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionVersion": {"Fn::GetAtt": [str(name), _]}}}:
                if name in resources:
                    yield name, resources[name]


def _replaced(value: Any, published: Mapping[str, str]) -> Any:
    match value:
        case {"Fn::GetAtt": [str(name), "Version"], **rest} if name in published and not rest:
            return pointer(published[name])
        case dict():
            return {name: _replaced(one, published) for name, one in value.items()}
        case list():
            return [_replaced(one, published) for one in value]
    return value


def _function_of(alias: Mapping[str, Any]) -> str | None:
    match alias.get("Properties", {}).get("FunctionVersion"):
        case {"Ref": str(name)} if name.startswith(_PREFIX):
            return name.removeprefix(_PREFIX)
    return None
