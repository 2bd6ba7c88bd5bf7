"""The text for ``auto-lambda.toml`` that says what another tool's file says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from auto_lambda.redact import confidential
from auto_lambda.runtimes import RUNTIMES
from builder.source.options import why_refused

_MOST_FUNCTIONS = 10
_MOST_VARIABLES = 30
_MOST_NOTES = 5
_LONGEST = 300  # characters of a value
_PAGE = "docs/reference/functions.md"
_OLDEST = 6  # of Python 3, on Lambda
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class FunctionTable:
    """``[functions.NAME]``: its values are TOML already; ``notes`` is what nothing there says."""

    name: str
    settings: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{key} = {value}" for key, value in self.settings.items()]
        return "\n".join([f"[functions.{self.name}]", *lines, *map(_comment, self.notes[:_MOST_NOTES])])


@dataclass(frozen=True, slots=True)
class ForeignApp:
    """An app of another tool, as far as its file says.

    Attributes:
        functions: those that run Python.
        root: the folder that all of them have their code in; empty for the file's own.
        python: the version that all of them name.
        environment: variables by name; a value that is no text is not known before its tool runs.
        notes: what nothing here says.
    """

    functions: tuple[FunctionTable, ...]
    root: str = ""
    python: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = [f"{name} = {quoted(value)}" for name, value in (("root", self.root), ("python", self.python))
                 if value]  # fmt: skip
        tables = [*named, *map(_comment, self.notes[:_MOST_NOTES]), *_environment(self.environment)]
        tables += map(str, self.functions[:_MOST_FUNCTIONS])
        return "\n".join(tables if self.functions else [*tables, '[functions.NAME]\nhandler = "module.function"'])


def _environment(variables: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``[environment]``, without values that may be secrets: a hint is shown in logs."""
    if not variables:
        return
    yield "[environment]"
    for name, value in list(variables.items())[:_MOST_VARIABLES]:
        if not _VARIABLE.fullmatch(name) or why_refused(name):
            continue
        if not isinstance(value, str):
            yield f"# {name}: only the other tool knows its value: write it here"
        elif len(value) > _LONGEST or confidential({name: value}):
            yield f"# {name}: copy its value here, or set a secret by `auto-lambda config NAME set --secret {name}=...`"
        else:
            yield f"{name} = {quoted(value)}"


def quoted(text: str) -> str:
    """Return a text as TOML has it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def listed(values: Iterable[str]) -> str:
    """Return a list as TOML has it, each value once; the values are TOML already."""
    return f"[{', '.join(dict.fromkeys(values))}]"


def _comment(text: str) -> str:
    return f"# {''.join(one if one.isprintable() else '?' for one in text)}"


def say_it(tables: str) -> str:
    """Return the hint for an app whose functions ``auto-lambda.toml`` can name."""
    return f"Say it in auto-lambda.toml, where {_PAGE} lists what else a function may have:\n{tables}"


def function_name(name: str) -> str:
    """Return a name that a function may have here."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in name)[:40]
    return kept if kept[:1].isalpha() else f"f{kept}"[:40]


def number(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield a setting that is a whole number."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        yield name, str(int(value))


def texts(name: str, values: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield a setting that is a list of texts, if there are any."""
    if found := [one for one in values if isinstance(one, str)]:
        yield name, listed(map(quoted, found))


def python_of(runtimes: list[Any]) -> str:
    """Return the version that all functions name, empty if they name several, none, or one that nobody knows."""
    found = {one for one in runtimes if isinstance(one, str)}
    only = re.fullmatch(r"python3\.(\d{1,2})", found.pop()) if len(found) == 1 else None
    newest = max(int(one.partition(".")[2]) for one in RUNTIMES)
    return f"3.{only[1]}" if only and _OLDEST <= int(only[1]) <= newest else ""


def mapping(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a mapping inside another one, empty if there is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}
