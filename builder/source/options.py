"""Read ``auto-lambda.toml``, the app's own options. Strictly: a typo must not silently become a default."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from auto_lambda.errors import AppError
from auto_lambda.keys import App, BadKey
from auto_lambda.model import LOG_DAYS
from builder.function_options import FunctionOptions
from builder.model import Options, Packaging, Retention, Throttle
from builder.protocol.flex import FlexMessage
from builder.protocol.traffic import TrafficMessage
from builder.source import documents
from builder.source.flex import read_flex
from builder.source.functions import read_functions
from builder.source.problems import Problems
from builder.source.python_path import VARIABLE, with_layer
from builder.source.runtime import parse_architecture, parse_minor
from builder.source.traffic import read_traffic

FILE = "auto-lambda.toml"
MAX_ENVIRONMENT_BYTES = 4096
"""Lambda's limit for all of a function's variables together."""

MOST_RELEASES = 100
"""The number of releases that an app may ask to keep."""

_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HEALTH_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")  # printable, no backslash, and never a host of its own
_FRAMEWORKS = ("chalice", "zappa", "plain")

RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)
"""Lambda refuses a function that sets one of these (Developer Guide, 'Using environment variables')."""

# With the last one, Python does not look beside the program that it runs: Lambda's own begins so.
_BREAKS_PYTHON = frozenset({"PYTHONEXECUTABLE", "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONSAFEPATH"})
OUR_VARIABLES = frozenset({
    "AUTO_LAMBDA_CONFIGURATION", "AUTO_LAMBDA_CONFIGURATION_REVISION", "AUTO_LAMBDA_HANDLER", "AUTO_LAMBDA_RELEASE",
})  # fmt: skip
"""What a function gets from the pipeline."""


def why_refused(name: str) -> str | None:
    """Return why no app may set a variable of that name, None if it may: one answer, wherever the app names it."""
    if name in RESERVED_VARIABLES:
        return f"Lambda sets {name} itself"
    if name in OUR_VARIABLES:
        return f"Auto-Lambda sets {name} itself"
    if name in _BREAKS_PYTHON:
        return f"with {name}, Python does not find its own library on Lambda"
    return None


def read(folder: Path, shown: str = "", problems: Problems | None = None) -> Options:
    """Read a folder's ``auto-lambda.toml``; without one, every option has its default.

    Args:
        folder: the top of the app's tree.
        shown: that folder inside the zip, ``""`` or ending in a slash, for messages.
        problems: takes what is wrong with single options, in place of its being raised.

    Raises:
        AppError: ``bad-config`` for an unknown key or a value of the wrong kind; ``unknown-python`` and
            ``unknown-architecture`` for values that can't be such.
    """
    path, file = folder / FILE, shown + FILE
    if not path.is_file():
        return Options()
    data = documents.read(path, file)
    found = problems or Problems()
    if unknown := sorted(set(data) - set(_READERS)):
        error = documents.bad_config(
            file,
            f"unknown setting {documents.join_names(map(documents.short_repr, unknown))}",
            hint=f"The known settings are: {', '.join(_READERS)}.",
        )
        found.note([error])
    read = {key: found.attempt(_READERS[key], file, data[key]) for key in data if key in _READERS}
    if "functions" in data and isinstance(tables := data["functions"], dict):
        read["functions"], mistakes = read_functions(file, tables)  # what is right of them shows what else is wrong
        found.note([mistakes] if mistakes else [])
    if {"flex", "traffic"} <= data.keys():
        what = "[flex] and [traffic] are both there, and an app that moves to Fargate has no shares of calls yet"
        found.note([documents.bad_config(file, what, hint="Leave one of them out.")])
    if problems is None:
        found.raise_all()
    return Options(**{key: value for key, value in read.items() if value is not None})


def _text(file: str, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise documents.bad_config(file, f"{key} is not a string", hint=f'Write it in quotes, as in {key} = "...".')
    if not value:
        raise documents.bad_config(file, f"{key} is empty", hint="Give it a value, or leave it out.")
    if not value.isprintable():
        what = f"{key} {documents.short_repr(value)} contains a line end or another control character"
        raise documents.bad_config(file, what, hint="Remove it.")
    if len(value) > _LONGEST_TEXT:
        raise documents.bad_config(file, f"{key} is longer than {_LONGEST_TEXT:,} characters", hint="Shorten it.")
    return value


_LONGEST_TEXT = 2_000


def _framework(file: str, value: Any) -> str:
    if value not in _FRAMEWORKS:
        raise documents.bad_config(
            file, f"framework is {documents.short_repr(value)}", hint=f"Use one of: {', '.join(_FRAMEWORKS)}."
        )
    return str(value)


def _root(file: str, value: Any) -> str:
    path = PurePosixPath(_text(file, "root", value))
    if path.is_absolute() or ".." in path.parts or "\\" in value:
        raise documents.bad_config(
            file,
            f"root {documents.short_repr(value)} leads out of the zip",
            hint=f"Name a folder below {FILE}, as in root = 'services/api'.",
        )
    return str(path)


def _python(file: str, value: Any) -> str:
    return parse_minor(_text(file, "python", value), f"python in {file}")


def _architecture(file: str, value: Any) -> str:
    return parse_architecture(value, f"architecture in {file}")


def _stages(file: str, value: Any) -> Mapping[str, str]:
    for bucket_stage, own in _table(file, "stages", value).items():
        try:
            App(bucket_stage, "any")
        except BadKey as error:
            what = f"in [stages], {str(error)[:200]}"
            raise documents.bad_config(file, what, hint="Use the stage of the upload's key.") from None
        _text(file, f"stages.{bucket_stage}", own)
    return dict(value)


def _health_path(file: str, value: Any) -> str:
    if not _HEALTH_PATH.fullmatch(_text(file, "health_path", value)):
        raise documents.bad_config(
            file,
            f"health_path {documents.short_repr(value)} is not a path",
            hint="Start it with one slash, as in health_path = '/health'.",
        )
    return str(value)


def _environment(file: str, value: Any) -> Mapping[str, str]:
    table = _table(file, "environment", value)
    for name, content in table.items():
        if not _VARIABLE.fullmatch(name) or why_refused(name):
            raise _bad_variable(file, name)
        if not isinstance(content, str):
            raise documents.bad_config(
                file, f"environment.{name} is not a string", hint=f'Write it in quotes: {name} = "..."'
            )
        if "\0" in content:
            raise documents.bad_config(file, f"environment.{name} contains a null character", hint="Remove it.")
    if sum(len(name) + len(content.encode()) for name, content in table.items()) > MAX_ENVIRONMENT_BYTES:
        raise documents.bad_config(
            file,
            f"[environment] is larger than the {MAX_ENVIRONMENT_BYTES} bytes that Lambda allows",
            hint="Move large values into the parameter store, a secret or a file.",
        )
    if VARIABLE in table:
        table[VARIABLE] = with_layer(table[VARIABLE])
    return dict(table)


def _bad_variable(file: str, name: str) -> AppError:
    if why := why_refused(name):
        return documents.bad_config(file, why, hint="Leave it out, or choose another name in [environment].")
    return documents.bad_config(
        file,
        f"{documents.short_repr(name)} can't be the name of an environment variable",
        hint="Use letters, digits and underscores, at least two, a letter first.",
    )


def _requirements(file: str, value: Any) -> str:
    name = _text(file, "requirements", value)
    if PurePosixPath(name).suffix not in (".txt", ".in"):
        raise documents.bad_config(
            file, f"requirements {documents.short_repr(value)} is no requirements file",
            hint='Name one, from the app\'s folder, as in requirements = "requirements/prod.txt".',
        )  # fmt: skip
    return name


def _retention(file: str, value: Any) -> Retention:
    table = _table(file, "retention", value)
    if unknown := sorted(set(table) - {"releases", "log_days"}):
        raise documents.bad_config(
            file,
            f"unknown setting {documents.join_names(map(documents.short_repr, unknown))} in [retention]",
            hint="The known settings are: releases, log_days.",
        )
    return Retention(
        _choice(file, table, "releases", range(1, MOST_RELEASES + 1), f"a number from 1 to {MOST_RELEASES}"),
        _choice(file, table, "log_days", LOG_DAYS, f"one of {', '.join(map(str, LOG_DAYS))}"),
    )


def _functions(file: str, value: Any) -> Mapping[str, FunctionOptions]:
    _table(file, "functions", value)
    return {}  # `read` reads them


def _package(file: str, value: Any) -> Packaging:
    table = _table(file, "package", value)
    if unknown := sorted(set(table) - {"slim"}):
        what = f"unknown setting {documents.join_names(map(documents.short_repr, unknown))} in [package]"
        raise documents.bad_config(file, what, hint="The known setting is: slim.")
    if not isinstance(slim := table.get("slim", False), bool):
        raise documents.bad_config(file, f"package.slim is {documents.short_repr(slim)}", hint="Write true or false.")
    return Packaging(slim)


def _throttle(file: str, value: Any) -> Throttle:
    table = _table(file, "throttle", value)
    if set(table) != {"rate", "burst"}:
        raise documents.bad_config(file, "[throttle] holds rate and burst, and nothing else", hint=_THROTTLE)
    rate, burst = table["rate"], table["burst"]
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= _MOST_RATE:
        raise documents.bad_config(file, f"throttle.rate is {documents.short_repr(rate)}", hint=_THROTTLE)
    if isinstance(burst, bool) or not isinstance(burst, int) or not 1 <= burst <= _MOST_BURST:
        raise documents.bad_config(file, f"throttle.burst is {documents.short_repr(burst)}", hint=_THROTTLE)
    return Throttle(float(rate), burst)


def _flex(file: str, value: Any) -> FlexMessage:
    return read_flex(file, _table(file, "flex", value))


def _traffic(file: str, value: Any) -> TrafficMessage:
    return read_traffic(file, _table(file, "traffic", value))


def _release(file: str, value: Any) -> Mapping[str, str]:
    """Return the event by which zappa's handler runs the command."""
    table = _table(file, "release", value)
    hint = 'Write one of: manage = "migrate --noinput" (Django), call = "tasks.prepare" (a function of the app).'
    if len(table) != 1 or not table.keys() <= {"manage", "call"}:
        raise documents.bad_config(file, "[release] holds one command, manage or call", hint=hint)
    ((kind, command),) = table.items()
    text = _text(file, f"release.{kind}", command)
    if kind == "call" and not _CALLED.fullmatch(text):
        raise documents.bad_config(file, f"release.call {documents.short_repr(text)} is no function", hint=hint)
    return {"command" if kind == "call" else "manage": text}


_CALLED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_MOST_RATE, _MOST_BURST = 10_000, 5_000  # of an account, unless AWS has raised them
_THROTTLE = f"rate is requests per second, up to {_MOST_RATE:,}; burst is requests at once, 1 to {_MOST_BURST:,}."


def _choice(file: str, table: Mapping[str, Any], name: str, known: Collection[int], meaning: str) -> int | None:
    number = table.get(name)
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number not in known):
        what = f"retention.{name} is {documents.short_repr(number)}"
        raise documents.bad_config(file, what, hint=f"Write {meaning}.")
    return number


def _names(key: str) -> Callable[[str, Any], tuple[str, ...]]:
    def read(file: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(one, str) and _NAME.fullmatch(one) for one in value):
            raise documents.bad_config(file, f"{key} is no list of names", hint=f'Write it as in {key} = ["prod"].')
        return tuple(value)

    return read


def _table(file: str, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise documents.bad_config(file, f"{key} is not a table", hint=f"Write [{key}] on a line of its own.")
    return value


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "framework": _framework,
    "root": _root,
    "python": _python,
    "architecture": _architecture,
    "stages": _stages,
    "health_path": _health_path,
    "environment": _environment,
    "requirements": _requirements,
    "groups": _names("groups"),
    "extras": _names("extras"),
    "retention": _retention,
    "functions": _functions,
    "package": _package,
    "throttle": _throttle,
    "flex": _flex,
    "release": _release,
    "traffic": _traffic,
}
