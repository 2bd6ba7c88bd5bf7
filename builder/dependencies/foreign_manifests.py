"""Translate manifests that uv does not read, Pipenv's, Poetry's and ``[project]``, into requirements.

All of them are read as data. The forms follow the tools' own documentation: Pipfile specification, Poetry 'Dependency
specification', and the PyPA specification of pyproject.toml.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from builder.dependencies.requirement_lines import (
    KnownIndex,
    Requirements,
    bad_requirements,
    frozen_hashes,
    parse,
    read_text,
    unknown_index,
)
from builder.model import Options
from builder.source import documents

_MARKER_KEYS = ("os_name", "sys_platform", "platform_machine", "platform_system", "platform_python_implementation")
_OTHER_ORIGINS = ("git", "hg", "svn", "url", "file")
_DEVELOPMENT = frozenset(
    {"dev", "develop", "development", "test", "tests", "testing", "lint", "linting", "typing", "types", "docs", "doc",
     "ci", "style", "format", "formatting"}
)  # fmt: skip
_MAX_GROUPS = 100
_MAX_NAME = 200  # characters, of a folder as well
_MAX_DIGITS = 100  # of a number: int() takes no more than 4300
VENDOR_HINT = "Use a released version from a package index, or put the package into the zip and name its path."


def pipfile_lock(path: Path, tree: Path) -> Requirements:
    """Read every package of ``default``, pinned, with its hashes."""
    data = as_table(load(path, tree).get("default"))
    lines: list[str] = []
    hashes: dict[str, set[str]] = {}
    for name, entry in data.items():
        lines.append(_requirement_line(name, entry, shown_path(path, tree)))
        if isinstance(entry, dict) and (found := strings(entry.get("hashes"))):
            hashes[canonicalize_name(name)] = set(found)
    return _parse_lines(lines, path, tree, hashes=hashes)


def pipfile(path: Path, tree: Path, known_index: KnownIndex) -> Requirements:
    """Read ``[packages]``, in Pipenv's notation."""
    data = load(path, tree)
    shown = shown_path(path, tree)
    _check_indexes(data.get("source"), shown, known_index)
    return _parse_lines(
        [_requirement_line(name, entry, shown) for name, entry in as_table(data.get("packages")).items()], path, tree
    )


def pyproject(path: Path, tree: Path, known_index: KnownIndex, options: Options) -> Requirements | None:
    """Read the dependencies of ``[project]`` or of Poetry's own table; None if the file has neither."""
    found = project_roots(path, tree, options)
    if found is not None:
        tool, shown = as_table(load(path, tree).get("tool")), shown_path(path, tree)
        _check_indexes(as_table(tool.get("uv")).get("index"), shown, known_index)
        _check_indexes(as_table(tool.get("poetry")).get("source"), shown, known_index)
    return found


def project_roots(path: Path, tree: Path, options: Options) -> Requirements | None:
    """Read what a pyproject.toml itself asks for, with the groups and extras that are wanted; None for nothing."""
    data, shown = load(path, tree), shown_path(path, tree)
    lines = _project_lines(data, shown, options.extras)
    if lines is None:
        return None
    return _parse_lines([*lines, *_group_lines(data, shown, options.groups)], path, tree)


def direct_names(project: Path, tree: Path) -> frozenset[str]:
    """Return the normalised names that a pyproject.toml itself asks for; empty if it asks for none."""
    listed = as_table(load(project, tree).get("project")).get("dependencies") if project.is_file() else None
    found = set()
    for line in strings(listed):
        with contextlib.suppress(ValueError, RecursionError):
            found.add(canonicalize_name(Requirement(line).name))
    return frozenset(found)


def uv_arguments(project: Path, tree: Path, options: Options) -> tuple[str, ...]:
    """Return the options of ``uv export`` for the groups and extras of a project that are wanted."""
    data = load(project, tree) if project.is_file() else {}
    groups = options.groups or _default_groups(data)
    return (*(f"--group={name}" for name in groups), *(f"--extra={name}" for name in options.extras))


def is_package(project: Path, tree: Path) -> bool:
    """Return whether a project has to be installed to be imported: its package is in ``src``, not beside the app."""
    if not project.is_file() or (project.parent / "src" / "__init__.py").is_file():
        return False
    data = load(project, tree)
    tool = as_table(data.get("tool"))
    table = as_table(data.get("project")) or as_table(tool.get("poetry"))
    if "build-system" not in data or as_table(tool.get("uv")).get("package") is False:
        return False
    name = re.sub(r"[-.]+", "_", str(table.get("name", ""))).lower()
    source = project.parent / "src"
    return bool(name) and len(name) < _MAX_NAME and ((source / name).is_dir() or (source / f"{name}.py").is_file())


def _project_lines(data: Mapping[str, Any], shown: str, extras: tuple[str, ...] = ()) -> list[str] | None:
    tool = as_table(data.get("tool"))
    poetry = as_table(as_table(tool.get("poetry")).get("dependencies"))
    project = data.get("project")
    if isinstance(project, dict) and "dependencies" in as_list(project.get("dynamic")) and not poetry:
        raise bad_requirements(shown, "its dependencies are dynamic: they are only known by running its build",
                  hint="List them under [project] dependencies, or in requirements.txt.")  # fmt: skip
    if isinstance(project, dict) and not (poetry and "dependencies" not in project):
        uv_sources = as_table(as_table(tool.get("uv")).get("sources"))
        sources = {canonicalize_name(name): source for name, source in uv_sources.items()}
        optional = as_table(project.get("optional-dependencies"))
        listed = [
            *strings(project.get("dependencies")),
            *(line for name in extras for line in strings(optional.get(name))),
        ]
        return [_with_source(line, sources, shown) for line in listed]
    if poetry:
        named = as_table(as_table(tool.get("poetry")).get("extras"))
        wanted = {one for name in extras for one in strings(named.get(name))}
        return [
            line for name, entry in poetry.items() if name != "python"
            for line in _poetry_lines(name, entry, shown, optional=name in wanted)
        ]  # fmt: skip
    return None


def _default_groups(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return uv's default groups without those that are for development by their names."""
    named = as_table(as_table(data.get("tool")).get("uv")).get("default-groups")
    groups = list(as_table(data.get("dependency-groups"))) if named == "all" else strings(named)
    return tuple(name for name in groups if name.lower() not in _DEVELOPMENT)


def _poetry_default_groups(groups: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the groups that Poetry installs unasked, without those that are for development by their names."""
    named = (name for name, group in groups.items() if as_table(group).get("optional") is not True)
    return tuple(name for name in named if name.lower() not in _DEVELOPMENT)


def names_by_default(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the groups of a pyproject.toml that are installed if none is named."""
    poetry = as_table(as_table(as_table(data.get("tool")).get("poetry")).get("group"))
    return (*_default_groups(data), *_poetry_default_groups(poetry))


def _group_lines(data: Mapping[str, Any], shown: str, wanted: tuple[str, ...]) -> Iterator[str]:
    """Yield what groups ask for: those that are wanted, else those that the project's own tool installs by default."""
    table = as_table(data.get("dependency-groups"))
    names = wanted or _default_groups(data)
    for name in dict.fromkeys(with_included(table, [*names])):
        yield from strings(table.get(name))
    poetry = as_table(as_table(as_table(data.get("tool")).get("poetry")).get("group"))
    for name, group in poetry.items():
        if name in (wanted or _poetry_default_groups(poetry)):
            for dependency, entry in as_table(as_table(group).get("dependencies")).items():
                yield from _poetry_lines(dependency, entry, shown)
    if missing := [name for name in wanted if name not in table and name not in poetry]:
        raise bad_requirements(shown, f"there is no group {missing[0]}", hint="Correct groups in auto-lambda.toml.")


def with_included(table: Mapping[str, Any], names: list[str]) -> list[str]:
    """Return groups with those that they include (PEP 735)."""
    seen: list[str] = []
    while names and len(seen) < _MAX_GROUPS:
        name = names.pop()
        if name not in seen:
            seen.append(name)
            names += [
                str(as_table(one).get("include-group")) for one in as_list(table.get(name)) if isinstance(one, dict)
            ]
    return seen


def _with_source(line: str, sources: Mapping[NormalizedName, Any], shown: str) -> str:
    """Add to a ``[project]`` dependency its place according to uv's own table."""
    try:
        requirement = Requirement(line)
    except (ValueError, RecursionError):
        return line  # refused with its place when all lines are read
    source = None if requirement.url else sources.get(canonicalize_name(requirement.name))
    if not isinstance(source, dict) or "index" in source:
        return line
    if source.get("workspace") is True:
        raise bad_requirements(shown, f"[tool.uv.sources] takes {requirement.name} from the workspace",
                  hint="Run `uv lock` in the workspace, and put its uv.lock and its members into the zip.")  # fmt: skip
    if "path" not in source:
        raise bad_requirements(shown, f"[tool.uv.sources] takes {requirement.name} from elsewhere", hint=VENDOR_HINT)
    return f"{requirement.name} @ ./{source['path']}" + (f" ; {requirement.marker}" if requirement.marker else "")


def _poetry_lines(name: str, entry: Any, shown: str, *, optional: bool = False) -> Iterator[str]:
    if isinstance(entry, list):
        for one in entry:
            yield from _poetry_lines(name, one, shown, optional=optional)
    elif optional or not (isinstance(entry, dict) and entry.get("optional") is True):
        yield _requirement_line(name, entry, shown)


def _requirement_line(name: str, entry: Any, shown: str) -> str:
    """Convert one dependency of a Pipfile, Pipfile.lock or Poetry's table to PEP 508."""
    table = entry if isinstance(entry, dict) else {"version": entry}
    if source := next((key for key in _OTHER_ORIGINS if key in table), None):
        raise bad_requirements(shown, f"{name} comes from {source}, not from a package index", hint=VENDOR_HINT)
    extras = f"[{','.join(strings(table.get('extras')))}]" if table.get("extras") else ""
    markers = [str(table["markers"])] if table.get("markers") else []
    markers += [f"{key} {table[key]}" for key in _MARKER_KEYS if key in table]
    if python := table.get("python"):
        markers += [_python_marker(part) for part in _pep440(str(python)).split(",") if part]
    marker = f" ; {' and '.join(f'({one})' for one in markers)}" if markers else ""
    if "path" in table:
        return f"{name}{extras} @ {_explicitly_relative(str(table['path']))}{marker}"
    return f"{name}{extras}{_pep440(str(table.get('version', '*')))}{marker}"


def _explicitly_relative(path: str) -> str:
    return path if path.startswith((".", "/")) else f"./{path}"


def _python_marker(specifier: str) -> str:
    version = specifier.lstrip("<>=!~")
    operator = specifier[: len(specifier) - len(version)]
    return f"python_version {operator} '{version.strip()}'" if operator and version.strip() else "python_version >= '0'"


def _pep440(version: str) -> str:
    """Convert Poetry's and Pipenv's versions to PEP 440: ``^1.2`` is ``>=1.2,<2``, a bare version is exact."""
    parts = [part.strip() for part in version.split(",")]
    return ",".join(spec for part in parts if (spec := _pep440_part(part)))


def _pep440_part(part: str) -> str:
    if part in ("", "*"):
        return ""
    if part.startswith("^"):
        return _compatible_range(part[1:].strip(), caret=True)
    if part.startswith("~") and not part.startswith("~="):
        return _compatible_range(part[1:].strip(), caret=False)
    return part if part[0] in "<>=!~" else f"=={part}"


def _compatible_range(version: str, *, caret: bool) -> str:
    numbers = re.findall(r"\d+", re.split(r"[a-z+-]", version, maxsplit=1)[0])
    release = [int(number[:_MAX_DIGITS]) for number in numbers] or [0]
    if caret:
        place = next((index for index, number in enumerate(release) if number), len(release) - 1)
    else:
        place = min(1, len(release) - 1)
    top = [*release[:place], release[place] + 1]
    return f">={version},<{'.'.join(map(str, top))}"


def _parse_lines(
    lines: list[str], path: Path, tree: Path, *, hashes: Mapping[str, set[str]] | None = None
) -> Requirements:
    read = parse("\n".join(lines), shown_path(path, tree), path.parent, tree)
    return Requirements(read.requirements, read.local, hashes=frozen_hashes(hashes or {}))


def _check_indexes(sources: Any, shown: str, known_index: KnownIndex) -> None:
    for source in as_list(sources):
        url = source.get("url") if isinstance(source, dict) else None
        if isinstance(url, str) and not known_index(url):
            raise unknown_index(shown, url)


def load(path: Path, tree: Path) -> dict[str, Any]:
    """Read a TOML file or a Pipfile.lock.

    Raises:
        AppError: ``bad-requirements``, with the place.
    """
    shown = shown_path(path, tree)
    text = read_text(path, shown)
    try:
        data = json.loads(text) if path.name == "Pipfile.lock" else documents.parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise bad_requirements(shown, f"it can't be read: {error}", hint=f"Correct {shown} at that place.") from None
    return as_table(data)


def shown_path(path: Path, tree: Path) -> str:
    """Return a file's path in the zip."""
    return path.relative_to(tree).as_posix()


def as_table(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, and nothing of anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and nothing of anything else."""
    return value if isinstance(value, list) else []


def strings(value: Any) -> list[str]:
    """Return the strings of a list."""
    return [item for item in as_list(value) if isinstance(item, str)]
