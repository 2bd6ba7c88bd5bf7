"""Find the file that names an app's dependencies, and read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from builder.dependencies import foreign_manifests, requirement_lines
from builder.dependencies.formats import lock_files, setup_files
from builder.dependencies.known import too_old
from builder.dependencies.requirement_lines import KnownIndex as KnownIndex
from builder.dependencies.requirement_lines import Local, Requirements
from builder.model import Options

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml")
_IN_FOLDER = tuple(f"requirements/{name}.txt" for name in ("prod", "production", "main", "base", "common", "default"))
ORDER = (
    *LOCKS,
    "requirements.txt",
    "zappa_requirements.txt",
    *_IN_FOLDER,
    "pyproject.toml",
    "Pipfile",
    "setup.cfg",
    "setup.py",
)
"""Of one folder, the first that is there counts: what pins more goes first."""

_NEVER_READ = ("environment.yml", "environment.yaml", "conda.yml", "*requirements*.txt", "*requirements*.in",
               "requirements/*.txt", "requirements/*.in", "setup.py", "setup.cfg")  # fmt: skip
_FOR_DEVELOPMENT = frozenset({
    "dev", "develop", "development", "test", "tests", "testing", "lint", "docs", "doc", "ci", "local", "optional",
})  # fmt: skip
_MAX_LISTED = 8
_MAX_PATTERN = 200  # characters
_PROJECT = "pyproject.toml"

_NOTHING_CHOSEN = Options()

ExportUvLock = Callable[[Path, Path, tuple[str, ...]], str]
"""Turns a uv.lock and the app's folder into requirement lines with local paths relative to the lock's folder, given
options for groups and extras."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The dependencies that an app names.

    Attributes:
        shown: the manifest's path inside the zip, None when there is none.
        lines: what it says.
        direct: normalised names of what the app itself asks for, without what only those need.
        complete: everything that is needed is listed, so nothing has to be resolved.
        warnings: files that look like manifests but are not read.
    """

    shown: str | None
    lines: Requirements
    direct: frozenset[str]
    complete: bool = False
    warnings: tuple[str, ...] = ()


def find(
    root: Path, tree: Path, known_index: KnownIndex, export: ExportUvLock, options: Options = _NOTHING_CHOSEN
) -> Manifest:
    """Find the manifest of an app: the first of `ORDER` in its folder, else in the nearest folder above it in the zip.

    ``options`` may name a requirements file, groups and extras.

    Raises:
        AppError: ``bad-requirements``, with the place.
    """
    root, tree = root.resolve(), tree.resolve()
    reader = _Reader(root, tree, _or_former_default(known_index), export, options)
    for path in reader.candidates():
        if manifest := reader.read(path):
            return _with_boto3(
                replace(manifest, warnings=(*manifest.lines.warnings, *_unread(path, manifest.lines.files, root, tree)))
            )
    if (only := _only_requirements(root)) and (manifest := reader.read(only)):
        told = f"{manifest.shown} is read, as nothing else names dependencies: name it requirements.txt"
        return _with_boto3(replace(manifest, warnings=(told, *manifest.lines.warnings)))
    return Manifest(None, Requirements(), frozenset(), warnings=_nothing_read(root, tree))


class _Reader:
    def __init__(self, root: Path, tree: Path, known_index: KnownIndex, export: ExportUvLock, options: Options) -> None:
        self._root = root
        self._tree = tree
        self._known_index = known_index
        self._export = export
        self._options = options

    def candidates(self) -> Iterator[Path]:
        if named := self._options.requirements:
            yield requirement_lines.inside(self._tree, self._root, named, "requirements in auto-lambda.toml")
            return
        for folder in _folders(self._root, self._tree):
            for path in (folder / name for name in ORDER):
                if path.name == _PROJECT and (lock := _workspace_lock(path, self._tree)):
                    yield lock
                if path.is_file():
                    yield path

    def read(self, path: Path) -> Manifest | None:
        shown, beside = path.relative_to(self._tree).as_posix(), path.with_name(_PROJECT)
        match path.name:
            case "uv.lock":
                return self._uv_lock(path, shown)
            case "Pipfile.lock":
                return self._complete(
                    path.with_name("Pipfile"), foreign_manifests.pipfile_lock(path, self._tree), shown
                )
            case "pylock.toml":
                return self._complete(beside, lock_files.pylock(path, self._tree), shown)
            case _:
                lines = self._incomplete(path)
        if lines is None:
            return None
        if path.suffix in (".lock", ".toml"):
            lines = self._with_project(beside, lines)
        if path.suffix in (".cfg", ".py", ".txt") and not lines.hashes:
            lines = self._with_setup(path.parent, lines)
        return Manifest(shown, lines, lines.names)

    def _incomplete(self, path: Path) -> Requirements | None:
        match path.name:
            case "poetry.lock" | "pdm.lock":
                return lock_files.project_lock(path, self._tree, self._options)
            case "pyproject.toml":
                return foreign_manifests.pyproject(path, self._tree, self._known_index, self._options)
            case "Pipfile":
                return foreign_manifests.pipfile(path, self._tree, self._known_index)
            case "setup.cfg":
                return setup_files.setup_cfg(path, self._tree)
            case "setup.py":
                return setup_files.setup_py(path, self._tree)
            case _:
                return requirement_lines.read(path, self._tree, self._known_index)

    def _uv_lock(self, path: Path, shown: str) -> Manifest:
        project = (self._root if (self._root / _PROJECT).is_file() else path.parent) / _PROJECT
        arguments = foreign_manifests.uv_arguments(project, self._tree, self._options)
        exported = self._export(path, self._root, arguments)
        lines = requirement_lines.parse(exported, shown, path.parent, self._tree)
        direct = foreign_manifests.direct_names(project, self._tree) & lines.names
        return Manifest(shown, self._with_project(project, lines), direct, complete=True)

    def _complete(self, beside: Path, lines: Requirements, shown: str) -> Manifest:
        direct = lines.names
        if beside.is_file() and beside.name == "Pipfile":
            direct = foreign_manifests.pipfile(beside, self._tree, lambda _: True).names
        elif beside.is_file():
            direct = foreign_manifests.direct_names(beside, self._tree) & lines.names or direct
        return Manifest(shown, lines, direct, complete=True)

    def _with_project(self, project: Path, lines: Requirements) -> Requirements:
        """Add the project itself where its package is one that has to be installed."""
        if not foreign_manifests.is_package(project, self._tree):
            return lines
        shown = project.parent.relative_to(self._tree).as_posix()
        return replace(lines, local=(*lines.local, Local(project.parent, shown)))

    def _with_setup(self, folder: Path, lines: Requirements) -> Requirements:
        """Add the project of a setup.cfg or setup.py beside a manifest, if its packages are in ``src``."""
        if folder in {one.path for one in lines.local} or not setup_files.is_in_src(folder, self._tree):
            return lines
        shown = folder.relative_to(self._tree).as_posix()
        return replace(lines, local=(*lines.local, Local(folder, shown)))


def with_requirements(manifest: Manifest, added: tuple[str, ...]) -> Manifest:
    """Add requirements to a manifest; it then has to be resolved even if it was complete."""
    lines = replace(manifest.lines, requirements=(*manifest.lines.requirements, *added))
    return replace(manifest, lines=lines, complete=manifest.complete and not added)


def with_runnable_pins(manifest: Manifest) -> tuple[Manifest, tuple[str, ...]]:
    """Raise those pins of a manifest that run on no Python of Lambda, unless it is a lock, and say which."""
    lines = manifest.lines
    if manifest.complete or lines.hashes:
        return manifest, ()
    requirements = [too_old.replaced(line, lines.names) for line in lines.requirements]
    constraints = [too_old.replaced(line, lines.names) for line in lines.constraints]
    told = tuple(dict.fromkeys(warning for _, warning in (*requirements, *constraints) if warning))
    changed = replace(
        lines,
        requirements=tuple(line for line, _ in requirements),
        constraints=tuple(line for line, _ in constraints),
    )
    return replace(manifest, lines=changed), told


def _with_boto3(manifest: Manifest) -> Manifest:
    """Add the boto3 of a botocore that the app asks for: Lambda's own would not fit it."""
    alone = "botocore" in manifest.direct and "boto3" not in manifest.lines.names
    return with_requirements(manifest, ("boto3",)) if alone else manifest


def _folders(root: Path, tree: Path) -> Iterator[Path]:
    yield from (folder for folder in (root, *root.parents) if folder.is_relative_to(tree))


def _workspace_lock(project: Path, tree: Path) -> Path | None:
    """Return the uv.lock of the workspace that a project is a member of."""
    if not project.is_file() or "project" not in foreign_manifests.load(project, tree):
        return None
    for folder in _folders(project.parent.parent, tree):
        if (folder / "uv.lock").is_file() and (folder / _PROJECT).is_file():
            tool = foreign_manifests.as_table(foreign_manifests.load(folder / _PROJECT, tree).get("tool"))
            workspace = foreign_manifests.as_table(foreign_manifests.as_table(tool.get("uv")).get("workspace"))
            member = project.parent.relative_to(folder).parts
            listed = foreign_manifests.strings(workspace.get("members"))
            excluded = foreign_manifests.strings(workspace.get("exclude"))
            return folder / "uv.lock" if _matches(member, listed) and not _matches(member, excluded) else None
    return None


def _matches(member: tuple[str, ...], patterns: list[str]) -> bool:
    split = [pattern.strip("/").removeprefix("./").split("/") for pattern in patterns if len(pattern) < _MAX_PATTERN]
    return any(
        len(parts) == len(member) and all(map(fnmatchcase, member, parts)) or (parts == ["**"])  # noqa: RUF021
        for parts in split
    )


def _only_requirements(root: Path) -> Path | None:
    """Return the only file beside an app that looks like its requirements, None if there are several."""
    found = [path for pattern in ("*requirements*.txt", "*requirements*.in") for path in root.glob(pattern)]
    ours = [path for path in found if path.is_file() and not _FOR_DEVELOPMENT.intersection(_words(path.stem))]
    return ours[0] if len(ours) == 1 else None


def _words(stem: str) -> list[str]:
    return re.split(r"[-_.]", stem.lower())


def _unread(read: Path, included: frozenset[Path], root: Path, tree: Path) -> tuple[str, ...]:
    """Warn of locks that are not used, and of the requirements files beside one that was guessed."""
    shown = read.relative_to(tree).as_posix()
    locks = [folder / name for folder in _folders(root, tree) for name in LOCKS if (folder / name).is_file()]
    others = [path for path in locks if path != read]
    if read.parent.name == "requirements":
        others += sorted(path for path in read.parent.glob("*.txt") if path != read and path not in included)
    if not others:
        return ()
    how = (
        'requirements = "..." in auto-lambda.toml names another file' if read.suffix == ".txt" else "remove one of them"
    )
    return (f"{_listed(others, tree)} is not read, as the dependencies come from {shown}: {how}",)


def _nothing_read(root: Path, tree: Path) -> tuple[str, ...]:
    found = sorted({path for folder in _folders(root, tree) for name in _NEVER_READ for path in folder.glob(name)})
    if not found:
        return ()
    how = "list the dependencies in requirements.txt, or name a file by requirements in auto-lambda.toml"
    return (f"{_listed(found, tree)} is not read: {how}",)


def _listed(paths: list[Path], tree: Path) -> str:
    names = [path.relative_to(tree).as_posix() for path in paths[:_MAX_LISTED]]
    return ", ".join(names) + (", ..." if len(paths) > _MAX_LISTED else "")


def _or_former_default(known_index: KnownIndex) -> KnownIndex:
    """Let the name that the default index had until 2018, which Pipfiles still have, stand for the index."""

    def known(url: str) -> bool:
        if known_index(url):
            return True
        from pip._internal.models.index import PyPI  # the one place that names it

        former = f"{PyPI.netloc.partition('.')[0]}.python.org"
        try:
            return urlsplit(url).hostname == former and known_index(PyPI.simple_url)
        except ValueError:
            return False

    return known
