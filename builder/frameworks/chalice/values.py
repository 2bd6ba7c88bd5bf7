"""Find values that AWS would refuse, in a chalice app's configuration and decorators, before anything is built."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from auto_lambda.errors import AppError
from auto_lambda.model import Template
from builder.frameworks.chalice.settings import settings_levels
from builder.lint import schemas, sources
from builder.lint.lint import value_problem
from builder.schedule_expressions import refused
from builder.source.settings import CHALICE_CONFIG

_Properties = Mapping[str, Any]
_Maker = Callable[[Any], _Properties]
_OWNERS = ("Chalice", "Blueprint")
_CRON = ("minutes", "hours", "day_of_month", "month", "day_of_week", "year")
_RATE = ("value", "unit")
_UNITS = ("MINUTES", "HOURS", "DAYS")
_BATCHES: Mapping[str, tuple[str, str]] = {
    "on_sqs_message": ("queue", "sqs"),
    "on_kinesis_record": ("stream", "kinesis"),
    "on_dynamodb_record": ("stream_arn", "dynamodb"),
}
"""Decorator -> its first parameter, and the service whose records it takes."""

_BATCH_PROPERTIES = {
    "batch_size": "BatchSize",
    "maximum_batching_window_in_seconds": "MaximumBatchingWindowInSeconds",
    "starting_position": "StartingPosition",
}


def _as(name: str) -> _Maker:
    return lambda value: {name: value}


def _in_network(name: str) -> _Maker:
    return lambda value: {"VpcConfig": {name: value}}


def _tags(value: Any) -> _Properties:
    return {"Tags": [{"Key": key, "Value": one} for key, one in value.items()]} if isinstance(value, dict) else {}


_FUNCTION = "AWS::Lambda::Function"
_PLACES: Mapping[str, tuple[str, _Maker]] = {
    "lambda_memory_size": (_FUNCTION, _as("MemorySize")),
    "lambda_timeout": (_FUNCTION, _as("Timeout")),
    "layers": (_FUNCTION, _as("Layers")),
    "reserved_concurrency": (_FUNCTION, _as("ReservedConcurrentExecutions")),
    "subnet_ids": (_FUNCTION, _in_network("SubnetIds")),
    "security_group_ids": (_FUNCTION, _in_network("SecurityGroupIds")),
    "tags": (_FUNCTION, _tags),
    "api_gateway_stage": ("AWS::ApiGateway::Stage", _as("StageName")),
    "minimum_compression_size": ("AWS::ApiGateway::RestApi", _as("MinimumCompressionSize")),
    "log_retention_in_days": ("AWS::Logs::LogGroup", _as("RetentionInDays")),
}
"""Settings that become properties as they are: of resources of which type, and how."""


def refused_settings(config: Mapping[str, Any], stage: str) -> Iterator[AppError]:
    """Yield an error for each such value of the configuration that the stage uses.

    Args:
        config: the whole of ``.chalice/config.json``.
        stage: the stage of it that is compiled.

    Raises:
        AppError: ``bad-config``: a level is no mapping.
    """
    levels = dict(settings_levels(config, stage))
    inner = f"stages.{stage}."
    for where, settings in levels.items():
        for name in settings.keys() & _PLACES.keys():
            replaced = [levels.get(inner, {}), levels.get(f"{inner}{where}", {})] if where[:7] != "stages." else []
            if settings[name] is None or any(one.get(name) is not None for one in replaced):
                continue
            kind, maker = _PLACES[name]
            for reason in _refused(kind, maker(settings[name])):
                yield value_problem(f"{where}{name} in {CHALICE_CONFIG}", reason)


def refused_decorators(path: Path, tree: ast.Module, root: Path) -> Iterator[AppError]:
    """Yield an error for each such value that a decorator of a module has as a literal.

    Args:
        path: of the module.
        tree: what it says.
        root: the app's folder.
    """
    owners = set(_owners(tree))
    for node in ast.walk(tree):
        for one in node.decorator_list if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ():
            match one:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if owner in owners:
                    place = f"@{owner}.{name} at {path.relative_to(root)}, line {one.lineno}"
                    yield from (value_problem(place, reason) for reason in _of_decorator(name, one))


def _owners(tree: ast.Module) -> Iterator[str]:
    """Yield the names of a module's apps and blueprints."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=made)) if _last(made) in _OWNERS:
                yield name


def _of_decorator(name: str, call: ast.Call) -> Iterator[str]:
    if name == "schedule":
        expression = _expression(_arguments(call, ("expression",)).get("expression"))
        if expression is not None and (reason := refused(expression)):
            yield reason
    elif name in _BATCHES:
        first, service = _BATCHES[name]
        given = {key: _literal(one) for key, one in _arguments(call, (first,)).items()}
        source = given.get(f"{first}_arn") or given.get(first)
        properties = {key: given[name] for name, key in _BATCH_PROPERTIES.items() if given.get(name) is not None}
        yield from _refused(
            "AWS::Lambda::EventSourceMapping", {"EventSourceArn": f"arn:aws:{service}:::{source}", **properties}
        )


def _refused(kind: str, properties: _Properties) -> Iterator[str]:
    template: Template = {"Resources": {"One": {"Type": kind, "Properties": dict(properties)}}}
    found = [*schemas.findings(template, whole=False), *sources.findings(template)]
    yield from dict.fromkeys(one.reason for one in found if one.path != ("EventSourceArn",))


def _arguments(call: ast.Call, names: tuple[str, ...]) -> Mapping[str, ast.expr]:
    """Return the arguments of a call by their names, as far as it shows them."""
    if any(isinstance(one, ast.Starred) for one in call.args):
        return MappingProxyType({})
    return {**dict(zip(names, call.args, strict=False)), **{one.arg: one.value for one in call.keywords if one.arg}}


def _expression(node: ast.expr | None) -> str | None:
    """Return the schedule that a literal, or chalice's own Rate or Cron of literals, stands for."""
    if not isinstance(node, ast.Call):
        value = _literal(node)
        return value if isinstance(value, str) else None
    if _last(node.func) == "Cron":
        given = _arguments(node, _CRON)
        fields = [_literal(given.get(name)) for name in _CRON]
        return None if None in fields else f"cron({' '.join(map(str, fields))})"
    if _last(node.func) == "Rate":
        given = _arguments(node, _RATE)
        value, unit = _literal(given.get("value")), _last(given.get("unit"))
        if isinstance(value, int) and unit in _UNITS:
            return f"rate({value} {unit.lower()[: -1 if value == 1 else None]})"
    return None


def _literal(node: ast.expr | None) -> Any:
    """Return the value of a literal, None if it is none."""
    match node:
        case ast.Constant(value=str() | int() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
    return None


def _last(node: ast.expr | None) -> str:
    """Return the last part of a dotted name, or a text."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str() as name):
            return name
    return ""
