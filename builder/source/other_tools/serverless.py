"""Read a configuration of the Serverless Framework: its functions, what calls them, and their variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from builder.source.other_tools.sam import bucket_table
from builder.source.other_tools.tables import (
    ForeignApp,
    FunctionTable,
    function_name,
    listed,
    mapping,
    number,
    python_of,
    quoted,
)

_OWN = re.compile(r"\$\{self:([\w.-]{1,200})\}")
_DEEPEST = 5  # a variable that names another, and so on
_NUMBERS = (
    ("memory", "memorySize"),
    ("timeout", "timeout"),
    ("disk", "ephemeralStorageSize"),
    ("provisioned", "provisionedConcurrency"),
    ("retries", "maximumRetryAttempts"),
    ("max_age", "maximumEventAge"),
)
_SHARED = ("memorySize", "timeout", "runtime")


def serverless_app(data: Mapping[str, Any]) -> ForeignApp:
    """Return what a configuration says.

    Args:
        data: its content, with all scalars as text.
    """
    provider = mapping(data, "provider")
    shared = {name: provider[name] for name in _SHARED if name in provider}
    found = {name: {**shared, **one} for name, one in mapping(data, "functions").items() if isinstance(one, dict)}
    python = {name: one for name, one in found.items() if str(one.get("runtime", "python")).startswith("python")}
    others = sorted(set(found) - set(python))
    environment = dict(mapping(provider, "environment"))
    for one in python.values():
        environment = {**mapping(one, "environment"), **environment}
    rights = any(provider.get(name) for name in ("iam", "iamRoleStatements"))
    return ForeignApp(
        functions=tuple(_function(data, name, one, rights=rights) for name, one in python.items()),
        python=python_of([one.get("runtime") for one in python.values()]),
        environment={name: _value(data, value) for name, value in environment.items()},
        notes=(f"no Python, and left out: {', '.join(others[:10])}",) if others else (),
    )


def _function(data: Mapping[str, Any], name: str, function: Mapping[str, Any], *, rights: bool) -> FunctionTable:
    settings = {"handler": quoted(str(function.get("handler", "module.function")))}
    for ours, theirs in _NUMBERS:
        settings |= dict(number(ours, _value(data, function.get(theirs))))
    if function.get("url"):
        settings["url"] = "true"
    if function.get("snapStart") == "true":
        settings["snap_start"] = "true"
    notes: list[str] = []
    found: dict[str, list[str]] = {}
    for kind, given in _events(function):
        if kind in ("http", "httpApi"):
            settings["url"] = "true"
        elif kind in _READERS:
            values = _READERS[kind](data, given)
            if values is None:
                notes.append(
                    f'{_NAMED[kind]}: name the one that the configuration means, as in {_NAMED[kind]} = "name"'
                )
            else:
                found.setdefault(_NAMED[kind], []).extend(values)
                size = given.get("batchSize") if kind == "sqs" and isinstance(given, dict) else None
                settings |= dict(number("batch_size", size))
        else:
            notes.append(f"event {kind}: nothing here calls a function so")
    settings |= {setting: listed(named) for setting, named in found.items()}
    if rights or function.get("iamRoleStatements") or function.get("role"):
        notes.append('its rights: save them as an IAM policy in a file, and add policy = "policy.json"')
    return FunctionTable(function_name(name), settings, tuple(notes))


def _events(function: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    given = function.get("events")
    for one in given if isinstance(given, list) else []:
        if isinstance(one, str):
            yield one, None
        elif isinstance(one, dict):
            yield from one.items()


def _schedules(data: Mapping[str, Any], given: Any) -> list[str] | None:
    rates = given.get("rate") if isinstance(given, dict) else given
    listed = [_value(data, one) for one in (rates if isinstance(rates, list) else [rates])]
    found = [quoted(one) for one in listed if isinstance(one, str)]
    return found or None


def _queues(data: Mapping[str, Any], given: Any) -> list[str] | None:
    return _named(data, given.get("arn") if isinstance(given, dict) else given)


def _topics(data: Mapping[str, Any], given: Any) -> list[str] | None:
    return _named(data, given.get("arn") or given.get("topicName") if isinstance(given, dict) else given)


def _named(data: Mapping[str, Any], given: Any) -> list[str] | None:
    """Return a name or ARN as TOML; a reference to what the configuration makes has none yet."""
    value = _value(data, given)
    if not isinstance(value, str):
        return None
    placed = re.sub(r"\$\{aws:(?:region|accountId)\}", "", value)
    return [quoted(placed.rpartition(":")[2] if placed != value else value)]


def _buckets(data: Mapping[str, Any], given: Any) -> list[str] | None:
    settings = given if isinstance(given, dict) else {"bucket": given}
    name = _value(data, settings.get("bucket"))
    if not isinstance(name, str):
        return None
    rules = settings.get("rules")
    limits = {
        key: quoted(str(value))
        for rule in (rules if isinstance(rules, list) else [])
        if isinstance(rule, dict)
        for key, value in rule.items()
        if key in ("prefix", "suffix")
    }
    event = settings.get("event")
    return [bucket_table(name, [event] if isinstance(event, str) else [], limits)]


_Reader = Callable[[Mapping[str, Any], Any], list[str] | None]
_READERS: Mapping[str, _Reader] = {"schedule": _schedules, "sqs": _queues, "sns": _topics, "s3": _buckets}
_NAMED = {"schedule": "schedule", "sqs": "queue", "sns": "topic", "s3": "bucket"}
"""Our settings for their events."""


def _value(data: Mapping[str, Any], value: Any, depth: int = 0) -> Any:
    """Return what a value is before the tool runs; None where its variables come from elsewhere."""
    if not isinstance(value, str):
        return None
    own = _OWN.fullmatch(value)
    if own is None or depth > _DEEPEST:
        return None if "${" in value.replace("${aws:region}", "").replace("${aws:accountId}", "") else value
    found: Any = data
    for part in own[1].split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return _value(data, found, depth + 1)
