"""Find modules that add routes to Bottle's default application, which no name of theirs holds."""

from __future__ import annotations

import ast
from dataclasses import dataclass

_ROUTES = frozenset({"route", "get", "post", "put", "delete", "patch", "hook", "error", "mount"})


@dataclass(frozen=True, slots=True)
class DefaultApp:
    """A module with such routes; ``run`` is the line that starts a server when the module is imported, if one does."""

    run: int | None


def default_app(tree: ast.Module) -> DefaultApp | None:
    """Return what a module does with Bottle's default application, None if nothing.

    Args:
        tree: the module's.
    """
    names: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "bottle":
            names |= {one.asname or one.name: one.name for one in node.names}
            if "*" in names:
                names |= {name: name for name in (*_ROUTES, "run")}
        elif isinstance(node, ast.Import):
            for one in node.names:
                if one.name == "bottle":
                    names |= {f"{one.asname or 'bottle'}.{name}": name for name in (*_ROUTES, "run")}
    decorators = [by for node in tree.body if isinstance(node, ast.FunctionDef) for by in node.decorator_list]
    if not any(names.get(_called(by)) in _ROUTES for by in decorators):
        return None
    calls = [node for node in tree.body if isinstance(node, ast.Expr) and names.get(_called(node.value)) == "run"]
    return DefaultApp(calls[0].lineno if calls else None)


def _called(node: ast.expr) -> str:
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
            return f"{module}.{name}"
    return ""
