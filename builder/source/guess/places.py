"""Tell what names of a module stand for, by its imports: which class or function of which package."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name that an import binds, with what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield (one.asname, one.name) if one.asname else ((top := one.name.partition(".")[0]), top)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"


def place(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return the place of what an expression calls or names, in its package."""
    if isinstance(node, ast.Call):
        node = node.func
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    base = names.get(node.id) if isinstance(node, ast.Name) else None
    return ".".join([base, *reversed(parts)]) if base else ""


def made_by(tree: ast.Module, name: str) -> str:
    """Return what makes the object that a module has by a name, as far as its last assignment shows it; else empty."""
    values = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
    ]
    return place(values[-1], dict(imported(tree))) if values and isinstance(values[-1], ast.Call) else ""
