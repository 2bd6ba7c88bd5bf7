"""Find the module that code imports only where it is there, and then takes for granted."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.source.modules import parse

_UNBOUND = re.compile(r"name '(\w{1,100})' is not defined")
_NONE = "'NoneType' object "
_MOST_BYTES = 1_000_000
_CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def absent_guarded_module(message: str, file: Path, line: int, shipped: Sequence[Path]) -> str | None:
    """Return the module whose absence an exception comes from although its import was guarded, None if there is none.

    Args:
        message: the exception's, that a name is not defined, or is None.
        file: the module that raised it.
        line: of that module.
        shipped: folders that modules are found in.
    """
    unbound = _UNBOUND.search(message)
    if not (unbound or _NONE in message) or not _is_small(file) or (tree := parse(file)) is None:
        return None
    guarded = dict(_guarded(tree))
    names = [unbound[1]] if unbound else _used(tree, line)
    found = (guarded[name] for name in names if name in guarded)
    return next((module for module in found if not _is_there(module, shipped)), None)


def _is_small(file: Path) -> bool:
    return file.suffix == ".py" and file.is_file() and not file.is_symlink() and file.stat().st_size <= _MOST_BYTES


def _guarded(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that guarded imports bind, each with its module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            caught = [handler.type for handler in node.handlers]
        elif isinstance(node, ast.With):
            caught = [arg for item in node.items if isinstance(item.context_expr, ast.Call)
                      for arg in item.context_expr.args]  # fmt: skip
        else:
            continue
        if any(one is None or _CAUGHT & _names(one) for one in caught):
            yield from (pair for one in node.body for pair in _bound(one))


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _bound(node: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((one.asname or one.name.partition(".")[0], one.name) for one in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from ((one.asname or one.name, node.module) for one in node.names)


def _used(tree: ast.Module, line: int) -> list[str]:
    return [one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and one.lineno == line]


def _is_there(module: str, shipped: Sequence[Path]) -> bool:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    return any((folder / top).is_dir() or any(folder.glob(f"{top}.*")) for folder in shipped)
