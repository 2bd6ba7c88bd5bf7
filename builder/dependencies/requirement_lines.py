"""The grammar of requirements.txt, as far as a build of untrusted zips can allow it.

Every requirement comes from a configured package index or from a path inside the zip. So version control and other
addresses are refused, and an option that names an index is accepted only if that index is configured anyway: ignoring
it would look for a private package on a public index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from auto_lambda.errors import AppError, Code
from builder.dependencies.known.elsewhere import of_a_system, why_left_out
from builder.sandbox.sandbox import printable

MAX_BYTES = 16 * 1024 * 1024
MAX_INCLUDES = 100  # files within files
_MAX_PATH = 4096  # characters, as on Linux
_MAX_MESSAGE = 2000
# Expressions over an upload's text are linear: no repetition may give back what another one can take.
_COMMENT = re.compile(r"(?<!\S)#.*")
_CONTINUED = re.compile(r"\\\r?\n")
_OPTION_NAME = re.compile(r"-[a-zA-Z]|--[a-z-]+")
_NEXT_OPTION = re.compile(r"(?<=\s)(?=--)")
_ARCHIVE_SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz")
_INDEX_OPTIONS = {"-i", "--index-url", "--extra-index-url"}
_OPTIONS_FOR_UV = {"--no-binary", "--only-binary"}
_IGNORED_OPTIONS = {"--trusted-host", "--prefer-binary", "--require-hashes"}

KnownIndex = Callable[[str], bool]
"""Whether an address is of a package index that this worker is configured with."""


@dataclass(frozen=True, slots=True)
class Local:
    """A project folder, wheel or sdist inside the zip; ``shown`` is its path there, ``suffix`` extras and marker."""

    path: Path
    shown: str
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements that a manifest names.

    Attributes:
        requirements: PEP 508, without addresses.
        local: what to build or install from inside the zip.
        constraints: PEP 508, bounds on what is installed anyway.
        hashes: by normalised name, ``sha256:...`` as the manifest pinned them.
        options: for uv's own requirements file.
        prerelease: whether pre-releases are wanted.
        warnings: lines that are left out.
        files: that it was read from, with those that they include.
    """

    requirements: tuple[str, ...] = ()
    local: tuple[Local, ...] = ()
    constraints: tuple[str, ...] = ()
    hashes: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    options: tuple[str, ...] = ()
    prerelease: bool = False
    warnings: tuple[str, ...] = ()
    files: frozenset[Path] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Normalised names of all requirements."""
        return frozenset(canonicalize_name(Requirement(line).name) for line in self.requirements)


def frozen_hashes(hashes: Mapping[str, set[str]]) -> Mapping[str, frozenset[str]]:
    """Make collected hashes immutable."""
    return MappingProxyType({name: frozenset(found) for name, found in hashes.items()})


def bad_requirements(where: str, what: str, *, hint: str) -> AppError:
    """Return the error for a manifest that cannot be used, or not here."""
    return AppError(
        Code.BAD_REQUIREMENTS, printable(f"{where}: {what}"[:_MAX_MESSAGE]), hint=printable(hint[:_MAX_MESSAGE])
    )


def unknown_index(where: str, url: str) -> AppError:
    """Return the error for an index that the upload names and the worker does not know."""
    hint = "Remove it: the worker uses its own indexes, to which its operator can add yours."
    return bad_requirements(where, f"{_host(url)} is not a package index of this worker", hint=hint)


def read_text(path: Path, shown: str) -> str:
    """Read a manifest: UTF-8, or UTF-16 with its byte order mark, as some shells write it.

    Raises:
        AppError: ``bad-requirements``: too large or not text.
    """
    if path.stat().st_size > MAX_BYTES:
        raise bad_requirements(
            shown, f"it is larger than {MAX_BYTES // 2**20} MB", hint="Keep only requirements in it."
        )
    data = path.read_bytes()
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise bad_requirements(shown, "it is not UTF-8 text", hint=f"Save {shown} as UTF-8.") from None


def inside(tree: Path, base: Path, target: str, where: str) -> Path:
    """Resolve a path that a manifest names, relative to the folder ``base``.

    Raises:
        AppError: ``bad-requirements``: it lies outside the zip or is not there.
    """
    try:
        if len(target) > _MAX_PATH:
            raise ValueError("too long")
        path = (base / target).resolve()
        there = path.exists()
    except (OSError, ValueError):
        raise bad_requirements(
            where, "it is not a valid path", hint="Put it into the zip and name it by a relative path."
        ) from None
    if not path.is_relative_to(tree.resolve()):
        raise bad_requirements(
            where, f"{target} lies outside the zip", hint="Put it into the zip and name it by a relative path."
        )
    if not there:
        raise bad_requirements(
            where, f"{target} is not in the zip", hint=f"Add {target} to the zip, or remove the line."
        )
    return path


def read(path: Path, tree: Path, known_index: KnownIndex) -> Requirements:
    """Read a requirements file with everything that it includes.

    Args:
        path: the file.
        tree: the unpacked zip; nothing outside it is read.
        known_index: says which index addresses are configured.

    Raises:
        AppError: ``bad-requirements``, with file and line.
    """
    reader = _Reader(tree.resolve(), known_index)
    reader.file(path.resolve(), constraint=False)
    return reader.lines()


def parse(text: str, shown: str, base: Path, tree: Path) -> Requirements:
    """Read lines that a tool wrote, with local paths relative to ``base``. They cannot include files.

    Raises:
        AppError: ``bad-requirements``, with the line.
    """
    reader = _Reader(tree.resolve(), lambda _: False, may_include=False)
    reader.text(text, shown, base.resolve(), constraint=False)
    return reader.lines()


class _Reader:
    def __init__(self, tree: Path, known_index: KnownIndex, *, may_include: bool = True) -> None:
        self._tree = tree
        self._known_index = known_index
        self._may_include = may_include
        self._depth = 0
        self._seen: set[tuple[Path, bool]] = set()
        self._requirements: list[str] = []
        self._local: list[Local] = []
        self._constraints: list[str] = []
        self._hashes: dict[str, set[str]] = {}
        self._options: list[str] = []
        self._prerelease = False
        self._warnings: list[str] = []

    def lines(self) -> Requirements:
        return Requirements(
            tuple(dict.fromkeys(self._requirements)), tuple(dict.fromkeys(self._local)),
            tuple(dict.fromkeys(self._constraints)), frozen_hashes(self._hashes),
            tuple(dict.fromkeys(self._options)), self._prerelease, tuple(dict.fromkeys(self._warnings)),
            frozenset(path for path, _ in self._seen),
        )  # fmt: skip

    def file(self, path: Path, *, constraint: bool) -> None:
        if (path, constraint) in self._seen:
            return
        self._seen.add((path, constraint))
        shown = path.relative_to(self._tree).as_posix()
        if not path.is_file():
            raise bad_requirements(shown, "it is not a file", hint="Name a requirements file.")
        if self._depth > MAX_INCLUDES:
            raise bad_requirements(
                shown, f"it is included through more than {MAX_INCLUDES} files", hint="Use fewer files."
            )
        self._depth += 1
        self.text(read_text(path, shown), shown, path.parent, constraint=constraint)
        self._depth -= 1

    def text(self, text: str, shown: str, base: Path, *, constraint: bool) -> None:
        for number, line in _logical_lines(text):
            where = f"{shown}, line {number}"
            if line.startswith("-"):
                self._option(line, where, base, constraint=constraint)
            else:
                self._requirement(line, where, base, constraint=constraint)

    def _option(self, line: str, where: str, base: Path, *, constraint: bool) -> None:
        name, value = _name_and_value(line)
        if self._may_include and name in ("-r", "--requirement", "-c", "--constraint"):
            self._include(value, where, base, constraint=constraint or name in ("-c", "--constraint"))
        elif name in ("-e", "--editable"):
            self._add_local(value, where, base)
        elif name in _INDEX_OPTIONS:
            if not self._known_index(value):
                raise unknown_index(where, value)
        elif name in _OPTIONS_FOR_UV:
            self._options.append(f"{name} {value}")
        elif name == "--pre":
            self._prerelease = True
        elif name not in _IGNORED_OPTIONS:
            raise bad_requirements(where, f"the option {name} is not supported", hint="Remove the option.")

    def _include(self, target: str, where: str, base: Path, *, constraint: bool) -> None:
        if "://" in target:
            raise bad_requirements(where, "it includes a file from the network", hint="Put that file into the zip.")
        self.file(inside(self._tree, base, target, where), constraint=constraint)

    def _requirement(self, line: str, where: str, base: Path, *, constraint: bool) -> None:
        spec, *options = (part.rstrip() for part in _NEXT_OPTION.split(line))
        if _is_path(spec):
            return self._add_local(spec, where, base)
        try:
            requirement = Requirement(spec)
            written = str(requirement)
        except (ValueError, RecursionError) as error:  # InvalidRequirement, or a number of thousands of digits
            if useless := of_a_system(spec):
                self._warnings.append(f"{where}: {spec[:200]} is left out: {useless}")
                return None
            why = str(error).splitlines()[0]
            raise bad_requirements(where, f"{spec[:200]!r} is not a requirement: {why}",
                      hint="Write it as name==version (PEP 508).") from None  # fmt: skip
        if requirement.url is not None:
            return self._add_local(_local_path(requirement, where), where, base)
        if useless := why_left_out(requirement):
            self._warnings.append(f"{where}: {written} is left out: {useless}")
            return None
        self._add_hashes(canonicalize_name(requirement.name), options, where)
        (self._constraints if constraint else self._requirements).append(written)
        return None

    def _add_hashes(self, name: str, options: list[str], where: str) -> None:
        found: set[str] = set()
        for option in options:
            key, _, value = option.partition("=")
            if key != "--hash":
                raise bad_requirements(where, f"the option {key} is not supported", hint="Remove the option.")
            found.add(value.strip())
        if found:
            self._hashes.setdefault(name, set()).update(found)

    def _add_local(self, spec: str, where: str, base: Path) -> None:
        target, extras, marker = _path_extras_marker(spec)
        target = target.removeprefix("file:")
        if "://" in target:
            raise bad_requirements(where, f"{_host(target)} is not a package index of this worker", hint=_VENDOR_HINT)
        path = inside(self._tree, base, target, where)
        suffix = (f"[{extras}]" if extras else "") + (f" ; {marker}" if marker else "")
        self._local.append(Local(path, path.relative_to(self._tree).as_posix(), suffix))


_VENDOR_HINT = "Name a released version instead, or put its wheel or source into the zip and write ./path/to/it."


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    number = 1
    for line in _CONTINUED.sub("\x00", text).splitlines():
        if content := _COMMENT.sub("", line.replace("\x00", " ")).strip():
            yield number, content
        number += 1 + line.count("\x00")


def _name_and_value(line: str) -> tuple[str, str]:
    """Split an option: ``-rX``, ``-r X``, ``--requirement X``, ``--requirement=X``."""
    match = _OPTION_NAME.match(line)
    if not match:
        return line, ""
    name, rest = match[0], line[match.end() :]
    value = rest.lstrip()
    if value.startswith("="):
        value = value[1:]
    elif value and value == rest and name.startswith("--"):
        return line, ""
    return name, value.strip("\"' \t")


def _path_extras_marker(spec: str) -> tuple[str, str, str]:
    """Split ``path[extras] ; marker``, of which only the path must be there."""
    front, _, marker = spec.partition(";")
    path, bracket, rest = front.rstrip().partition("[")
    extras, closed, after = rest.partition("]")
    if bracket and (after or not closed or not path):
        return spec, "", ""
    return path.rstrip(), extras, marker.strip()


def _is_path(spec: str) -> bool:
    before = spec.partition(";")[0].strip()
    bare = before.rpartition("[")[0] if before.endswith("]") else before
    if "@" in before and "://" not in before.partition("@")[0] and not before.startswith((".", "/")):
        return False
    return (
        before.startswith((".", "/", "file:", "git+", "hg+", "svn+", "bzr+"))
        or "/" in bare
        or bare.endswith(_ARCHIVE_SUFFIXES)
    )


def _local_path(requirement: Requirement, where: str) -> str:
    url = requirement.url or ""
    if "://" in url and not url.startswith("file://"):
        raise bad_requirements(
            where, f"{requirement.name} comes from {_host(url)}, which is not a package index", hint=_VENDOR_HINT
        )
    if url.startswith("file:///"):
        raise bad_requirements(where, f"{requirement.name} comes from a folder outside the zip, where it was frozen",
                  hint="`pip freeze` writes such lines inside conda: use `pip list --format=freeze` instead, or "
                  "replace ' @ file:///...' by '==' and the version.")  # fmt: skip
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return url.removeprefix("file://").removeprefix("file:") + extras + marker


def _host(url: str) -> str:
    """Return what may be shown of an address: no user, password or path."""
    try:
        return urlsplit(url).hostname or url[:80]
    except ValueError:
        return "that address"
