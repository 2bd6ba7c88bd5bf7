"""Translate locks that uv does not read, Poetry's, PDM's and pylock.toml, into requirements. All are read as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.dependencies.foreign_manifests import (
    VENDOR_HINT,
    as_list,
    as_table,
    load,
    project_roots,
    shown_path,
    strings,
)
from builder.dependencies.requirement_lines import Requirements, bad_requirements, frozen_hashes, parse
from builder.model import Options

_LOCAL_KINDS = ("directory", "file", "git", "url")  # of Poetry's sources
_LOCAL_KEYS = ("path", "git", "url")  # of PDM's packages
_MAX_ROOTS = 20  # of one name
_MAIN = "main"  # Poetry's group of what is always installed


def project_lock(path: Path, tree: Path, options: Options) -> Requirements:
    """Read the ``pyproject.toml`` beside a poetry.lock or pdm.lock, constrained to the lock's versions and files.

    Poetry's locks before 2.0 do not say which packages only development needs; resolving from the roots does.

    Raises:
        AppError: ``bad-requirements``.
    """
    project = path.with_name("pyproject.toml")
    if not project.is_file():
        raise bad_requirements(
            shown_path(path, tree), "there is no pyproject.toml beside it", hint="Add pyproject.toml to the zip."
        )
    packages = [
        one for one in as_list(load(path, tree).get("package")) if isinstance(one, dict) and not _elsewhere(one)
    ]
    lines = project_roots(project, tree, options) or Requirements()
    pinned = list(_pins(packages, lines.requirements))
    hashes: dict[str, set[str]] = {}
    for one, _ in pinned:
        files = [file.get("hash") for file in as_list(one.get("files")) if isinstance(file, dict)]
        if found := strings(files):
            hashes.setdefault(canonicalize_name(str(one.get("name", ""))), set()).update(found)
    text = "\n".join(pin for _, pin in pinned)
    pins = parse(text, shown_path(path, tree), path.parent, tree).requirements
    return replace(lines, constraints=pins, hashes=frozen_hashes(hashes))


def _elsewhere(package: Mapping[str, Any]) -> bool:
    """Return whether a package comes from no index: its requirement says where it is, or is refused there."""
    return as_table(package.get("source")).get("type") in _LOCAL_KINDS or any(key in package for key in _LOCAL_KEYS)


def _pins(packages: list[dict[str, Any]], roots: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield packages with their constraints.

    Of several versions that the lock does not tell apart, the one that a requirement with a marker allows is pinned
    under that marker, if it is one alone.
    """
    times = Counter((canonicalize_name(str(one.get("name", ""))), _marker(one)) for one in packages)
    wanted: dict[str, list[Requirement]] = {}
    for root in map(Requirement, roots):
        if len(known := wanted.setdefault(canonicalize_name(root.name), [])) < _MAX_ROOTS:
            known.append(root)
    for one in packages:
        name, version, marker = str(one.get("name", "")), str(one.get("version", "")), _marker(one)
        if times[canonicalize_name(name), marker] > 1:
            markers = [root.marker for root in wanted.get(canonicalize_name(name), []) if _allows(root, version)]
            if len(markers) != 1:
                continue
            marker = str(markers[0] or "")
        yield one, f"{name}=={version}" + (f" ; {marker}" if marker else "")


def _allows(root: Requirement, version: str) -> bool:
    try:
        return root.specifier.contains(version, prereleases=True)
    except ValueError:
        return False


def _marker(package: Mapping[str, Any]) -> str:
    marker = package.get("markers", package.get("marker"))
    marker = marker.get(_MAIN) if isinstance(marker, dict) else marker
    return marker if isinstance(marker, str) else ""


def pylock(path: Path, tree: Path) -> Requirements:
    """Read a pylock.toml (PyPA 'pylock.toml Specification'): everything in it, pinned, with its hashes.

    Raises:
        AppError: ``bad-requirements``.
    """
    shown = shown_path(path, tree)
    lines: list[str] = []
    hashes: dict[str, set[str]] = {}
    for package in as_list(load(path, tree).get("packages")):
        one = as_table(package)
        lines.append(_locked(one, shown))
        files = [*as_list(one.get("wheels")), one.get("sdist")]
        sums = {f"sha256:{as_table(as_table(file).get('hashes')).get('sha256')}" for file in files if file}
        if sums - {"sha256:None"}:
            hashes.setdefault(canonicalize_name(str(one.get("name", ""))), set()).update(sums)
    read = parse("\n".join(lines), shown, path.parent, tree)
    return replace(read, hashes=frozen_hashes(hashes))


def _locked(package: Mapping[str, Any], shown: str) -> str:
    name, marker = str(package.get("name", "")), package.get("marker")
    suffix = f" ; {marker}" if isinstance(marker, str) else ""
    for kind in ("directory", "archive"):
        if place := as_table(package.get(kind)).get("path"):
            return f"{name} @ ./{place}{suffix}"
    if "version" not in package or "vcs" in package or "archive" in package:
        raise bad_requirements(shown, f"{name} comes from no package index", hint=VENDOR_HINT)
    return f"{name}=={package['version']}{suffix}"
