"""Find the file that names an app's dependencies, and read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from builder.dependencies import foreign_manifests, requirement_lines
from builder.dependencies.requirement_lines import KnownIndex as KnownIndex
from builder.dependencies.requirement_lines import Requirements

ORDER = (
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "requirements.txt",
    "zappa_requirements.txt",
    "pyproject.toml",
    "Pipfile",
)
"""Of one folder, the first that is there counts: what pins more goes first."""

ExportUvLock = Callable[[Path, Path], str]
"""Turns a uv.lock and the app's folder into requirement lines with local paths relative to the lock's folder."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The dependencies that an app names.

    Attributes:
        shown: the manifest's path inside the zip, None when there is none.
        lines: what it says.
        direct: normalised names of what the app itself asks for, without what only those need.
        complete: everything that is needed is listed, so nothing has to be resolved.
    """

    shown: str | None
    lines: Requirements
    direct: frozenset[str]
    complete: bool = False


def find(root: Path, tree: Path, known_index: KnownIndex, export: ExportUvLock) -> Manifest:
    """Find the manifest of an app: the first of `ORDER` in its folder, else in the nearest folder above it in the zip.

    Raises:
        AppError: ``bad-requirements``, with the place.
    """
    for path in _candidates(root.resolve(), tree.resolve()):
        if manifest := _read(path, root.resolve(), tree.resolve(), known_index, export):
            return manifest
    return Manifest(None, Requirements(), frozenset())


def _candidates(root: Path, tree: Path) -> Iterator[Path]:
    for folder in (root, *root.parents):
        if not folder.is_relative_to(tree):
            return
        yield from (path for name in ORDER if (path := folder / name).is_file())


def _read(path: Path, root: Path, tree: Path, known_index: KnownIndex, export: ExportUvLock) -> Manifest | None:
    shown = path.relative_to(tree).as_posix()
    match path.name:
        case "uv.lock":
            lines = requirement_lines.parse(export(path, root), shown, path.parent, tree)
            project = root if (root / "pyproject.toml").is_file() else path.parent
            direct = foreign_manifests.direct_names(project / "pyproject.toml", tree) & lines.names
            return Manifest(shown, lines, direct, complete=True)
        case "Pipfile.lock":
            lines = foreign_manifests.pipfile_lock(path, tree)
            beside = path.with_name("Pipfile")
            direct = foreign_manifests.pipfile(beside, tree, lambda _: True).names if beside.is_file() else lines.names
            return Manifest(shown, lines, direct, complete=True)
        case "poetry.lock":
            lines = foreign_manifests.poetry_lock(path, tree)
        case "pyproject.toml":
            found = foreign_manifests.pyproject(path, tree, known_index)
            if found is None:
                return None
            lines = found
        case "Pipfile":
            lines = foreign_manifests.pipfile(path, tree, known_index)
        case _:
            lines = requirement_lines.read(path, tree, known_index)
    return Manifest(shown, lines, lines.names)


def with_requirements(manifest: Manifest, added: tuple[str, ...]) -> Manifest:
    """Add requirements to a manifest; it then has to be resolved even if it was complete."""
    lines = replace(manifest.lines, requirements=(*manifest.lines.requirements, *added))
    return replace(manifest, lines=lines, complete=manifest.complete and not added)
