"""Say how apps of other deployment tools (SAM, the Serverless Framework) are said here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from builder.source import documents

_SAM_FILES = ("template.yaml", "template.yml")
_SERVERLESS_FILES = ("serverless.yml", "serverless.yaml")
_SAM_FUNCTION = "AWS::Serverless::Function"
_MOST = 10
_PAGE = "docs/reference/functions.md"


def other_tool(top: Path, shown: str) -> AppError | None:
    """Return the error for a zip that is meant for another tool, None if it is meant for none.

    Args:
        top: the top of the app's tree.
        shown: that folder inside the zip, ``""`` or ending in a slash, for messages.

    Raises:
        AppError: ``bad-config``: its file can't be read.
    """
    for name in _SAM_FILES:
        if not (top / name).is_file():
            continue
        data = documents.read_template(top / name, shown + name)
        root = _sam_root(data, top)
        if functions := _sam_functions(data, root):
            first = f"root = {json.dumps(root)}" if root else ""
            return _refused(f"{shown}{name} is a template of SAM", functions, first)
    for name in _SERVERLESS_FILES:
        if (top / name).is_file():
            data = documents.read_template(top / name, shown + name)
            return _web_app(data, shown + name) or _refused(
                f"{shown}{name} is a configuration of the Serverless Framework", _serverless_functions(data)
            )
    return None


def _refused(what: str, functions: Mapping[str, Mapping[str, str]], first: str = "") -> AppError:
    tables = [function_table(name, one) for name, one in list(functions.items())[:_MOST]]
    named = "\n".join(filter(None, [first, *tables])) or '[functions.NAME]\nhandler = "module.function"'
    return AppError(
        Code.NO_FRAMEWORK,
        f"{what}, which is not read here",
        hint=say_it(named),
    )


def say_it(tables: str) -> str:
    """Return the hint for an app whose functions ``auto-lambda.toml`` can name."""
    return f"Say it in auto-lambda.toml, where {_PAGE} lists what else a function may have:\n{tables}"


def function_table(name: str, settings: Mapping[str, str]) -> str:
    """Return a function's table for ``auto-lambda.toml``; the settings' values are TOML already."""
    return "\n".join([f"[functions.{name}]", *(f"{key} = {value}" for key, value in settings.items())])


def _web_app(data: Mapping[str, Any], file: str) -> AppError | None:
    """Return the error for a configuration that has a plugin call a WSGI application."""
    app = _mapping(_mapping(data, "custom"), "wsgi").get("app")
    if not isinstance(app, str):
        return None
    return AppError(
        Code.NO_FRAMEWORK,
        f"{file} is a configuration of the Serverless Framework, which is not read here",
        hint=f"Save this as zappa_settings.json: {json.dumps({'dev': {'app_function': app.replace('/', '.')}})}",
    )


def _sam_properties(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    shared = _mapping(_mapping(data, "Globals"), "Function")
    for name, resource in _mapping(data, "Resources").items():
        if isinstance(resource, dict) and resource.get("Type") == _SAM_FUNCTION:
            yield name, {**shared, **_mapping(resource, "Properties")}


def _sam_root(data: Mapping[str, Any], top: Path) -> str:
    """Return the folder that all functions have their code in, and their requirements; empty for the template's own."""
    folders = {_code_folder(properties) for _, properties in _sam_properties(data)}
    folder = folders.pop() if len(folders) == 1 else ""
    parts = folder.split("/")
    return folder if folder and ".." not in parts and (top / folder).is_dir() else ""


def _code_folder(properties: Mapping[str, Any]) -> str:
    folder = str(properties.get("CodeUri") or ".").removeprefix("./").strip("/")
    return "" if folder == "." else folder


def _sam_functions(data: Mapping[str, Any], root: str) -> dict[str, dict[str, str]]:
    found = {}
    for name, properties in _sam_properties(data):
        events = [one for one in _mapping(properties, "Events").values() if isinstance(one, dict)]
        found[function_name(name)] = dict(_sam_lines(properties, events, root))
    return found


def _sam_lines(properties: Mapping[str, Any], events: list[dict[str, Any]], root: str) -> Iterator[tuple[str, str]]:
    folder = _code_folder(properties)
    handler = str(properties.get("Handler", "module.function"))
    yield "handler", json.dumps(handler if folder in ("", root) else f"{folder}/{handler}")
    yield from _number("memory", properties.get("MemorySize"))
    yield from _number("timeout", properties.get("Timeout"))
    if any(one.get("Type") in ("Api", "HttpApi") for one in events):
        yield "url", "true"
    schedules = [_mapping(one, "Properties").get("Schedule") for one in events if one.get("Type") == "Schedule"]
    yield from _schedule(schedules)


def _serverless_functions(data: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    functions = _mapping(data, "functions")
    return {
        function_name(name): dict(_serverless_lines(one)) for name, one in functions.items() if isinstance(one, dict)
    }


def _serverless_lines(function: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "handler", json.dumps(str(function.get("handler", "module.function")))
    yield from _number("memory", function.get("memorySize"))
    yield from _number("timeout", function.get("timeout"))
    given = function.get("events")
    events = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    if any(one.keys() & {"http", "httpApi"} for one in events) or (given and "httpApi" in given):
        yield "url", "true"
    schedules = [one["schedule"] for one in events if "schedule" in one]
    yield from _schedule([one.get("rate") if isinstance(one, dict) else one for one in schedules])


def _number(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.isdecimal():
        yield name, value


def _schedule(values: list[Any]) -> Iterator[tuple[str, str]]:
    if found := [one for one in values if isinstance(one, str)]:
        yield "schedule", json.dumps(found)


def function_name(name: str) -> str:
    """Return a name that a function may have here."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in name)[:40]
    return kept if kept[:1].isalpha() else f"f{kept}"[:40]


def _mapping(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}
