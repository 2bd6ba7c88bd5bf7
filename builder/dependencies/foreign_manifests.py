"""Translate manifests that uv does not read, Pipenv's, Poetry's and ``[project]``, into requirements.

All of them are read as data. The forms follow the tools' own documentation: Pipfile specification, Poetry 'Dependency
specification', and the PyPA specification of pyproject.toml.
"""

from __future__ import annotations

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
from builder.source import documents

_MARKER_KEYS = ("os_name", "sys_platform", "platform_machine", "platform_system", "platform_python_implementation")
_OTHER_ORIGINS = ("git", "hg", "svn", "url", "file")
_MAX_DIGITS = 100  # of a number: int() takes no more than 4300
_VENDOR_HINT = "Use a released version from a package index, or put the package into the zip and name its path."


def pipfile_lock(path: Path, tree: Path) -> Requirements:
    """Read every package of ``default``, pinned, with its hashes."""
    data = _table(_load(path, tree).get("default"))
    lines: list[str] = []
    hashes: dict[str, set[str]] = {}
    for name, entry in data.items():
        lines.append(_requirement_line(name, entry, _shown(path, tree)))
        if isinstance(entry, dict) and (found := _strings(entry.get("hashes"))):
            hashes[canonicalize_name(name)] = set(found)
    return _parse_lines(lines, path, tree, hashes=hashes)


def pipfile(path: Path, tree: Path, known_index: KnownIndex) -> Requirements:
    """Read ``[packages]``, in Pipenv's notation."""
    data = _load(path, tree)
    shown = _shown(path, tree)
    _check_indexes(data.get("source"), shown, known_index)
    return _parse_lines(
        [_requirement_line(name, entry, shown) for name, entry in _table(data.get("packages")).items()], path, tree
    )


def poetry_lock(path: Path, tree: Path) -> Requirements:
    """Read the ``pyproject.toml`` beside the lock, constrained to the versions and files of the lock.

    Poetry's locks before 2.0 do not say which packages only development needs; resolving from the roots does.
    """
    project = path.with_name("pyproject.toml")
    if not project.is_file():
        raise bad_requirements(
            _shown(path, tree), "there is no pyproject.toml beside it", hint="Add pyproject.toml to the zip."
        )
    packages = [package for package in _list(_load(path, tree).get("package")) if isinstance(package, dict)]
    pins: list[str] = []
    hashes: dict[str, set[str]] = {}
    for package in packages:
        name, version = str(package.get("name", "")), str(package.get("version", ""))
        if _table(package.get("source")).get("type") in ("directory", "file", "git", "url"):
            continue  # its requirement in pyproject.toml says where it is, or is refused there
        marker = package.get("markers")
        pins.append(f"{name}=={version}" + (f" ; {marker}" if isinstance(marker, str) else ""))
        files = [file.get("hash") for file in _list(package.get("files")) if isinstance(file, dict)]
        if found := _strings(files):
            hashes.setdefault(canonicalize_name(name), set()).update(found)
    roots = _project_lines(_load(project, tree), _shown(project, tree)) or []
    lines = _parse_lines(roots, project, tree, hashes=hashes)
    pinned = parse("\n".join(pins), _shown(path, tree), path.parent, tree).requirements
    return Requirements(lines.requirements, lines.local, pinned, lines.hashes)


def pyproject(path: Path, tree: Path, known_index: KnownIndex) -> Requirements | None:
    """Read the dependencies of ``[project]`` or of Poetry's own table; None if the file has neither."""
    data = _load(path, tree)
    shown = _shown(path, tree)
    lines = _project_lines(data, shown)
    if lines is None:
        return None
    tool = _table(data.get("tool"))
    _check_indexes(_table(tool.get("uv")).get("index"), shown, known_index)
    _check_indexes(_table(tool.get("poetry")).get("source"), shown, known_index)
    return _parse_lines(lines, path, tree)


def direct_names(project: Path, tree: Path) -> frozenset[str]:
    """Return the normalised names that a pyproject.toml itself asks for; empty if it asks for none."""
    if not project.is_file():
        return frozenset()
    lines = _project_lines(_load(project, tree), _shown(project, tree)) or []
    return _parse_lines(lines, project, tree).names


def _project_lines(data: Mapping[str, Any], shown: str) -> list[str] | None:
    tool = _table(data.get("tool"))
    poetry = _table(_table(tool.get("poetry")).get("dependencies"))
    project = data.get("project")
    if isinstance(project, dict) and "dependencies" in _list(project.get("dynamic")) and not poetry:
        raise bad_requirements(shown, "its dependencies are dynamic: they are only known by running its build",
                  hint="List them under [project] dependencies, or in requirements.txt.")  # fmt: skip
    if isinstance(project, dict) and not (poetry and "dependencies" not in project):
        uv_sources = _table(_table(tool.get("uv")).get("sources"))
        sources = {canonicalize_name(name): source for name, source in uv_sources.items()}
        return [_with_source(line, sources, shown) for line in _strings(project.get("dependencies"))]
    if poetry:
        return [
            line for name, entry in poetry.items() if name != "python" for line in _poetry_lines(name, entry, shown)
        ]
    return None


def _with_source(line: str, sources: Mapping[NormalizedName, Any], shown: str) -> str:
    """Add to a ``[project]`` dependency its place according to uv's own table."""
    try:
        requirement = Requirement(line)
    except (ValueError, RecursionError):
        return line  # refused with its place when all lines are read
    source = None if requirement.url else sources.get(canonicalize_name(requirement.name))
    if not isinstance(source, dict) or "index" in source:
        return line
    if "path" not in source:
        raise bad_requirements(shown, f"[tool.uv.sources] takes {requirement.name} from elsewhere", hint=_VENDOR_HINT)
    return f"{requirement.name} @ ./{source['path']}" + (f" ; {requirement.marker}" if requirement.marker else "")


def _poetry_lines(name: str, entry: Any, shown: str) -> Iterator[str]:
    if isinstance(entry, list):
        for one in entry:
            yield from _poetry_lines(name, one, shown)
    elif not (isinstance(entry, dict) and entry.get("optional") is True):
        yield _requirement_line(name, entry, shown)


def _requirement_line(name: str, entry: Any, shown: str) -> str:
    """Convert one dependency of a Pipfile, Pipfile.lock or Poetry's table to PEP 508."""
    table = entry if isinstance(entry, dict) else {"version": entry}
    if source := next((key for key in _OTHER_ORIGINS if key in table), None):
        raise bad_requirements(shown, f"{name} comes from {source}, not from a package index", hint=_VENDOR_HINT)
    extras = f"[{','.join(_strings(table.get('extras')))}]" if table.get("extras") else ""
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
    read = parse("\n".join(lines), _shown(path, tree), path.parent, tree)
    return Requirements(read.requirements, read.local, hashes=frozen_hashes(hashes or {}))


def _check_indexes(sources: Any, shown: str, known_index: KnownIndex) -> None:
    for source in _list(sources):
        url = source.get("url") if isinstance(source, dict) else None
        if isinstance(url, str) and not known_index(url):
            raise unknown_index(shown, url)


def _load(path: Path, tree: Path) -> dict[str, Any]:
    shown = _shown(path, tree)
    text = read_text(path, shown)
    try:
        data = json.loads(text) if path.name == "Pipfile.lock" else documents.parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise bad_requirements(shown, f"it can't be read: {error}", hint=f"Correct {shown} at that place.") from None
    return _table(data)


def _shown(path: Path, tree: Path) -> str:
    return path.relative_to(tree).as_posix()


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: Any) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]
