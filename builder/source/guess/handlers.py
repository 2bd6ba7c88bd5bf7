"""Find the functions that Lambda could call in an app of no framework, by reading its code, to name them in a hint."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from builder.source.functions import logical_id
from builder.source.guess.settings import app_modules, imported_tops
from builder.source.modules import parse
from builder.source.other_tools.tables import FunctionTable, function_name

_EVENTS = ("event", "_event", "evt")
_CONTEXTS = ("context", "_context", "ctx", "_ctx", "_")
_TAKES = 2  # an event and its context
_MOST = 10


def handler_tables(top: Path) -> str:
    """Return ``[functions.NAME]`` for what look like handlers, as text for ``auto-lambda.toml``; empty without any.

    Functions that are called handlers come alone; others that take an event and its context count only without these.
    """
    found = [(path.relative_to(top), name) for path in app_modules(top) for name in _taking_events(path)]
    found = [(path, name) for path, name in found if _is_importable(path)]
    found = [one for one in found if one[1].endswith("handler")] or found
    in_module = Counter(path for path, _ in found)
    tables: dict[str, str] = {}
    for path, name in found:
        parts = path.with_suffix("").parts
        function = function_name("-".join(parts if in_module[path] == 1 else (*parts, name)))
        table = FunctionTable(function, {"handler": f'"{".".join((*parts, name))}"'})
        tables.setdefault(logical_id(function), str(table))
    return "\n".join(islice(tables.values(), _MOST))


def _taking_events(path: Path) -> Iterator[str]:
    tree = parse(path)
    if tree is None or "chalice" in imported_tops(tree):  # whose decorators make functions of their own
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and _takes_an_event(node.args):
            yield node.name


def _takes_an_event(arguments: ast.arguments) -> bool:
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    required_by_name = any(default is None for default in arguments.kw_defaults)
    return len(names) == _TAKES and names[0] in _EVENTS and names[1] in _CONTEXTS and not required_by_name


def _is_importable(path: Path) -> bool:
    return all(part.isidentifier() and part.isascii() for part in path.with_suffix("").parts)
