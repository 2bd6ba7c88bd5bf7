"""Compares resources with the schemas of their types.

``schemas.json`` holds AWS's registry schemas with cfn-lint's corrections; ``scripts/lint_schemas.py`` writes it.
cfn-lint itself takes a second and 190 MB for a template, which would double the time of a small change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind, validator_for

from auto_lambda.model import Template
from builder.lint.refusal import Refusal
from builder.source.options import why_refused

_SCHEMAS = Path(__file__).with_name("schemas.json")
_LONGEST = 300
_LONGEST_VALUE = 60
_STAGE = r"^[A-Za-z0-9_-]{1,128}$"
_CACHE_SIZES = ["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"]  # GB
_CAPACITY = {"properties": {"ReadCapacityUnits": {"minimum": 1}, "WriteCapacityUnits": {"minimum": 1}}}
# What the registry's schemas leave to the services: the Lambda Developer Guide ('Lambda quotas'), the API Gateway
# Developer Guide (names of stages, payload compression, API caching) and the DynamoDB API Reference.
_SUPPLEMENTS: Mapping[str, Any] = {
    "AWS::Lambda::Function": {"MemorySize": {"maximum": 10_240}, "Timeout": {"maximum": 900}},
    "AWS::ApiGateway::RestApi": {"MinimumCompressionSize": {"minimum": 0, "maximum": 10_485_760}},
    "AWS::ApiGateway::Stage": {
        "StageName": {"pattern": _STAGE},
        "CacheClusterSize": {"enum": _CACHE_SIZES},
        "MethodSettings": {"items": {"properties": {"CacheTtlInSeconds": {"minimum": 0, "maximum": 3600}}}},
    },
    "AWS::ApiGatewayV2::Stage": {"StageName": {"pattern": rf"^\$default$|{_STAGE}"}},
    "AWS::DynamoDB::Table": {"ProvisionedThroughput": _CAPACITY},
}
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")  # Lambda API Reference, 'Environment'
_VARIABLES = ("Environment", "Variables")
_ADDED_LATER: Mapping[str, frozenset[str]] = {"AWS::Lambda::Function": frozenset({"Code"})}
"""Properties that a draft does not have yet."""

_OF_SEVERAL = frozenset({"anyOf", "oneOf", "not", "if", "then", "else", "allOf", "dependentRequired"})


def findings(template: Template, *, whole: bool = True) -> Iterator[Refusal]:
    """Yield what the schema of each resource's type rules out. What depends on intrinsic functions is not judged.

    Args:
        template: whose resources are judged.
        whole: a property that a resource lacks counts.
    """
    for name, resource in sorted(template["Resources"].items()):
        kind, properties = resource["Type"], resource.get("Properties", {})
        numeric = _with_numbers(kind, properties)
        for validator in _validators(kind):
            for error in validator.iter_errors(numeric):
                path = tuple(str(part) for part in error.instance_path if isinstance(part, str))
                if path[:2] != _VARIABLES and not _is_excused(error, kind, whole=whole):
                    yield Refusal(name, kind, path, _reason(error))
        if kind == "AWS::Lambda::Function":
            yield from (Refusal(name, kind, _VARIABLES, reason) for reason in _variables(properties))


def _with_numbers(kind: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return properties with numbers for those that are written as text, which AWS takes for numbers."""
    errors = [error for one in _validators(kind) for error in one.iter_errors(properties)]
    numbers = [one for one in errors if _is_number_as_text(one)]
    if not numbers:
        return properties
    converted = deepcopy(dict(properties))
    for one in numbers:
        *path, last = one.instance_path
        inner: Any = converted
        for part in path:
            inner = inner[part]
        inner[last] = int(one.instance)
    return converted


def _is_number_as_text(error: ValidationError) -> bool:
    match error.kind:
        case ValidationErrorKind.Type(types=types):
            return bool({"integer", "number"} & set(types)) and _is_digits(error.instance) and bool(error.instance_path)
    return False


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII) is not None


def _reason(error: ValidationError) -> str:
    """Return the validator's words, with long values cut, and the allowed values in full."""
    value = json.dumps(error.instance, ensure_ascii=False, separators=(",", ":"))
    shown = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}..."
    match error.kind:
        case ValidationErrorKind.Enum(options=options):
            return f"{shown} is none of {', '.join(json.dumps(one) for one in options)}"[:_LONGEST]
    message = str(error.message)
    return f"{shown}{message.removeprefix(value)}"[:_LONGEST] if message.startswith(value) else message[:_LONGEST]


def _variables(properties: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the names of variables. Their values, which may be secrets, are not told."""
    for name in properties.get("Environment", {}).get("Variables", {}):
        if why := why_no_variable(name) or why_refused(name):
            yield why


def why_no_variable(name: str) -> str | None:
    """Return why Lambda takes no variable of this name, None if it does."""
    if _VARIABLE.fullmatch(name):
        return None
    return f"{name[:100]!r}: a variable's name is a letter and one or more letters, digits and underscores"


@cache
def _validators(kind: str) -> tuple[Any, ...]:
    schemas = [_schemas()[kind]] if kind in _schemas() else []
    if more := _SUPPLEMENTS.get(kind):
        schemas.append({"properties": more})
    return tuple(validator_for(schema) for schema in schemas)


@cache
def _schemas() -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(_SCHEMAS.read_bytes())
    return read


def _is_excused(error: ValidationError, kind: str, *, whole: bool) -> bool:
    if _is_intrinsic(error.instance):
        return True
    match error.kind:
        case ValidationErrorKind.Required(property=name) if not error.instance_path:
            return not whole or name in _ADDED_LATER.get(kind, ())
        case ValidationErrorKind.Type(types=types):
            return _is_converted(error.instance, types)
    return bool(error.schema_path) and error.schema_path[-1] in _OF_SEVERAL and _depends(error.instance)


def _is_intrinsic(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _depends(value: Any) -> bool:
    if _is_intrinsic(value):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_depends(part) for part in parts)


def _is_converted(value: Any, types: list[str]) -> bool:
    """Tell whether CloudFormation takes a value for one of another type, as it does with numbers and text."""
    if "string" in types and isinstance(value, bool | int | float):
        return True
    if not isinstance(value, str):
        return False
    return ("boolean" in types and value.lower() in {"true", "false"}) or (
        bool({"integer", "number"} & set(types)) and _is_digits(value)
    )
