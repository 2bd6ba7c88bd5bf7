"""Find modules in groups and extras of an app's own pyproject.toml that were not installed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from auto_lambda.errors import AppError
from builder.dependencies.foreign_manifests import as_table, load, names_by_default, shown_path, strings, with_included
from builder.dependencies.manifests import ORDER
from builder.diagnosis.missing_modules import distribution_names
from builder.diagnosis.syntax import clean
from builder.model import Options, Source

_WITH_GROUPS = frozenset({"uv.lock", "poetry.lock", "pdm.lock", "pyproject.toml"})


def hint_of_groups(modules: Iterable[str], source: Source) -> str | None:
    """Return the hint for modules that are not there, if groups or extras would bring the first of them, else None.

    Args:
        modules: the missing module, and those that would be missed next.
        source: the app.
    """
    path = None if source.options.requirements else _project(source.root.resolve(), source.tree.resolve())
    with contextlib.suppress(AppError):
        return _hint(list(dict.fromkeys(modules)), path, source) if path else None
    return None


def _hint(modules: list[str], path: Path, source: Source) -> str | None:
    data = load(path, source.tree.resolve())
    offered = list(_offered(data, source.options))
    found = {module: place for module in modules if (place := _place(module, offered))}
    if not modules or modules[0] not in found:
        return None
    where = ", ".join(f"{clean(module)} is in the {key[:-1]} {clean(name)}" for module, (key, name) in found.items())
    installed = {"groups": source.options.groups or names_by_default(data), "extras": source.options.extras}
    lines = [
        f"{key} = {json.dumps([*installed[key], *added])}"
        for key in installed
        if (added := dict.fromkeys(clean(name) for one, name in found.values() if one == key))
    ]
    shown = shown_path(path, source.tree.resolve())
    return f"{where} of {shown}, which is not installed: write {' and '.join(lines)} into auto-lambda.toml."


def _project(root: Path, tree: Path) -> Path | None:
    """Return the pyproject.toml whose groups count, None where another manifest does."""
    for folder in (one for one in (root, *root.parents) if one.is_relative_to(tree)):
        if first := next((name for name in ORDER if (folder / name).is_file()), None):
            path = folder / "pyproject.toml"
            return path if first in _WITH_GROUPS and path.is_file() else None
    return None


def _place(module: str, offered: list[tuple[str, str, frozenset[str]]]) -> tuple[str, str] | None:
    wanted = {canonicalize_name(name) for name in distribution_names(module)}
    return next(((key, name) for key, name, names in offered if names & wanted), None)


def _offered(data: Mapping[str, Any], options: Options) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield the groups and extras that were not installed: the option, the name, and distributions."""
    poetry = as_table(as_table(data.get("tool")).get("poetry"))
    standard, groups = as_table(data.get("dependency-groups")), as_table(poetry.get("group"))
    installed = options.groups or names_by_default(data)
    for name in (one for one in (*standard, *groups) if one not in installed):
        lines = [line for one in with_included(standard, [name]) for line in strings(standard.get(one))]
        yield "groups", name, _names([*lines, *as_table(as_table(groups.get(name)).get("dependencies"))])
    extras = {**as_table(poetry.get("extras")), **as_table(as_table(data.get("project")).get("optional-dependencies"))}
    for name in (one for one in extras if one not in options.extras):
        yield "extras", name, _names(strings(extras[name]))


def _names(lines: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            found.add(canonicalize_name(Requirement(line).name))
    return frozenset(found)
