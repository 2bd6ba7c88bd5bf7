"""Read a template of SAM, or of CloudFormation with functions: what it says of them, and what calls them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from builder.source.other_tools.tables import (
    ForeignApp,
    FunctionTable,
    function_name,
    listed,
    mapping,
    number,
    python_of,
    quoted,
    texts,
)

SAM_FUNCTION = "AWS::Serverless::Function"
FUNCTION = "AWS::Lambda::Function"
_SCHEDULES = {"Schedule": "Schedule", "ScheduleV2": "ScheduleExpression"}
_SOURCES: Mapping[str, tuple[str, str, str]] = {
    "SQS": ("queue", "Queue", "QueueName"),
    "SNS": ("topic", "Topic", "TopicName"),
    "S3": ("bucket", "Bucket", "BucketName"),
}
"""Type of an event -> our setting, its property that names the source, and the property by which that is named."""

_NUMBERS = (
    ("memory", ("MemorySize",)),
    ("timeout", ("Timeout",)),
    ("disk", ("EphemeralStorage", "Size")),
    ("provisioned", ("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions")),
    ("retries", ("EventInvokeConfig", "MaximumRetryAttempts")),
    ("max_age", ("EventInvokeConfig", "MaximumEventAgeInSeconds")),
)
_PLACED = re.compile(r"\$\{AWS::(?:Partition|Region|AccountId)\}")


def sam_app(data: Mapping[str, Any], top: Path, kind: str = SAM_FUNCTION) -> ForeignApp | None:
    """Return what a template says, None if it has no such functions.

    Args:
        data: of the template; what other tools fill in is a mapping of one key, as in ``{"Ref": "Table"}``.
        top: its folder.
        kind: type of the functions.
    """
    shared = mapping(mapping(data, "Globals"), "Function")
    found = {
        name: _merged(shared, mapping(one, "Properties"))
        for name, one in mapping(data, "Resources").items()
        if isinstance(one, dict) and one.get("Type") == kind
    }
    if not found:
        return None
    python = {name: one for name, one in found.items() if _runs_python(one)}
    others = sorted(set(found) - set(python))
    root = _root(python, top)
    environment: dict[str, Any] = {}
    for one in python.values():
        variables = mapping(mapping(one, "Environment"), "Variables")
        environment |= {name: _value(data, value) for name, value in variables.items() if name not in environment}
    return ForeignApp(
        functions=tuple(_function(data, name, one, root) for name, one in python.items()),
        root=root,
        python=python_of([one.get("Runtime") for one in python.values()]),
        environment=environment,
        notes=(f"no Python, and left out: {', '.join(others[:10])}",) if others else (),
    )


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's properties with those of all functions, whose variables it has besides its own."""
    variables = {**mapping(mapping(shared, "Environment"), "Variables"),
                 **mapping(mapping(own, "Environment"), "Variables")}  # fmt: skip
    return {**shared, **own, "Environment": {"Variables": variables}}


def _runs_python(properties: Mapping[str, Any]) -> bool:
    runtime = properties.get("Runtime")
    return properties.get("PackageType") != "Image" and (not isinstance(runtime, str) or runtime.startswith("python"))


def _root(functions: Mapping[str, Mapping[str, Any]], top: Path) -> str:
    """Return the folder that all functions have their code in, and their requirements; empty for the template's own."""
    folders = {_code_folder(properties) for properties in functions.values()}
    folder = folders.pop() if len(folders) == 1 else ""
    return folder if folder and ".." not in folder.split("/") and (top / folder).is_dir() else ""


def _code_folder(properties: Mapping[str, Any]) -> str:
    given = properties.get("CodeUri")
    folder = (given if isinstance(given, str) else "").removeprefix("./").strip("/")
    return "" if folder == "." or ":" in folder else folder


def _function(data: Mapping[str, Any], name: str, properties: Mapping[str, Any], root: str) -> FunctionTable:
    settings = dict(_own_settings(properties, root))
    notes: list[str] = []
    sources: dict[str, list[Any]] = {}
    schedules: list[Any] = []
    for event, one in mapping(properties, "Events").items():
        kind, given = (str(one.get("Type")), mapping(one, "Properties")) if isinstance(one, dict) else ("", {})
        if kind in ("Api", "HttpApi"):
            settings["url"] = "true"
        elif kind in _SCHEDULES:
            schedules.append(given.get(_SCHEDULES[kind]))
        elif kind in _SOURCES:
            _add_source(data, kind, given, sources, notes)
            if kind == "SQS" and "queue" in sources:
                settings |= dict(number("batch_size", given.get("BatchSize")))
        else:
            notes.append(f"event {event} of type {kind}: nothing here calls a function so")
    settings |= dict(texts("schedule", schedules))
    for setting, values in sources.items():
        settings[setting] = listed(values)
    if properties.get("Policies") or properties.get("Role"):
        notes.append('its rights: save them as an IAM policy in a file, and add policy = "policy.json"')
    return FunctionTable(function_name(name), settings, tuple(notes))


def _own_settings(properties: Mapping[str, Any], root: str) -> Iterator[tuple[str, str]]:
    folder, handler = _code_folder(properties), properties.get("Handler")
    named = handler if isinstance(handler, str) else "module.function"
    yield "handler", quoted(named if folder in ("", root) else f"{folder}/{named}")
    for name, (first, *rest) in _NUMBERS:
        yield from number(name, mapping(properties, first).get(rest[0]) if rest else properties.get(first))
    auth = mapping(properties, "FunctionUrlConfig").get("AuthType")
    if auth in ("NONE", "AWS_IAM"):
        yield "url", "true" if auth == "NONE" else '"signed"'
    if mapping(properties, "SnapStart").get("ApplyOn") == "PublishedVersions":
        yield "snap_start", "true"


def _add_source(
    data: Mapping[str, Any], kind: str, given: Mapping[str, Any], sources: dict[str, list[Any]], notes: list[str]
) -> None:
    setting, place, named_by = _SOURCES[kind]
    name = _name(data, given.get(place), named_by)
    if name is None:
        notes.append(f'{setting}: make the one that the template makes, and name it here, as in {setting} = "name"')
    else:
        sources.setdefault(setting, []).append(_bucket(name, given) if kind == "S3" else quoted(name))


def _bucket(name: str, given: Mapping[str, Any]) -> str:
    """Return an inline table for a bucket and the objects whose events count."""
    events = given.get("Events")
    listed = [one for one in (events if isinstance(events, list) else [events]) if isinstance(one, str)]
    rules = mapping(mapping(given, "Filter"), "S3Key").get("Rules")
    limits = {}
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict) and str(rule.get("Name")).lower() in ("prefix", "suffix"):
            limits[str(rule["Name"]).lower()] = quoted(str(rule.get("Value")))
    return bucket_table(name, listed, limits)


def bucket_table(name: str, events: list[str], limits: Mapping[str, str]) -> str:
    """Return TOML for a bucket: its name, or a table where there is more to say."""
    fields = {"name": quoted(name), **limits, **({"events": listed(map(quoted, events))} if events else {})}
    return f"{{ {', '.join(f'{key} = {value}' for key, value in fields.items())} }}"


def _name(data: Mapping[str, Any], value: Any, named_by: str) -> str | None:
    """Return the name or ARN of a queue, topic or bucket that exists by itself, or that the template names."""
    if isinstance(value, dict) and (resource := _referred(value)):
        value = mapping(mapping(mapping(data, "Resources"), resource), "Properties").get(named_by) or value
    found = _value(data, value)
    if not isinstance(found, str):
        return None
    return found.rpartition(":")[2] if "::" in found or found.startswith("arn:aws:s3:") else found


def _value(data: Mapping[str, Any], value: Any) -> Any:
    """Return what a value is before anything is deployed: literals, and parameters with a default."""
    if isinstance(value, dict):
        if isinstance(name := value.get("Ref"), str):
            return mapping(mapping(data, "Parameters"), name).get("Default", value)
        if isinstance(text := value.get("Fn::Sub"), str) and "${" not in _PLACED.sub("", text):
            return _PLACED.sub("", text) if text.startswith("arn:") else value if _PLACED.search(text) else text
    return value


def _referred(value: Mapping[str, Any]) -> str:
    attribute = value.get("Fn::GetAtt")
    if isinstance(attribute, list):
        attribute = ".".join(map(str, attribute))
    return str(value.get("Ref") or "") or (attribute.partition(".")[0] if isinstance(attribute, str) else "")
