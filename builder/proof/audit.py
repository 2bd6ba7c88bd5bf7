"""The static audit: does the package's native code load on Lambda?

A start on this machine does not show everything: a newer C library here loads a binary that Lambda's refuses, and a
library of this machine can take the place of one that is missing in the package. So the files themselves are compared
with what the target runtime has. What Python will import (extension modules and what they need) must load; about other
shared objects, which code may or may not open, it only warns.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Architecture
from auto_lambda.runtimes import RUNTIMES, Runtime
from builder.diagnosis.missing_libraries import advice
from builder.model import Built, Layer
from builder.proof.distributions import owners
from builder.proof.elf import BINARIES, Binary, read_tree
from builder.proof.lambda_libraries import libraries

TASK, OPT = "/var/task", "/opt"
_MODULE = re.compile(r"(?P<stem>\w+)(?P<tag>\.[\w.-]+)?\.so")
_LIBRARY_FOLDERS = (TASK, f"{TASK}/lib", f"{OPT}/lib")  # the part of Lambda's LD_LIBRARY_PATH that a package can fill
_TRIPLETS: Mapping[Architecture, str] = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_MAX_LISTED = 5


def audit(built: Built, code: Path) -> tuple[str, ...]:
    """Check the layer and the app's own code together; return warnings.

    Args:
        built: its layer, and the Python and architecture that it is for.
        code: the unpacked content of the code zip.

    Raises:
        AppError: ``wrong-architecture``, ``wrong-python-abi``, ``glibc-too-new`` or ``missing-library``.
    """
    found = {f"{TASK}/{one.path}": one for one in read_tree(code)}
    layer = built.layer
    if layer:
        found |= {f"{OPT}/{one.path}": one for one in _facts(layer)}
    source = built.source
    package = Package(found, {TASK: code, **({OPT: layer.tree} if layer else {})})
    return check(package, RUNTIMES[source.python], source.architecture)


def _facts(layer: Layer) -> tuple[Binary, ...]:
    """Return what was read of the layer's binaries when it was made, else read them now."""
    try:
        return tuple(_binary(one) for one in json.loads((layer.tree.parent / BINARIES).read_bytes()))
    except (OSError, ValueError, TypeError, AttributeError):
        return read_tree(layer.tree)


def _binary(facts: dict[str, object]) -> Binary:
    return Binary(**{name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Package:
    """All shared objects of a function by their path on Lambda, and the folders that stand for Lambda's."""

    binaries: Mapping[str, Binary]
    roots: Mapping[str, Path]

    def describe(self, path: str) -> str:
        """Name a file as its uploader knows it: its path in the package, and the distribution that brings it."""
        distribution = self._distributions.get(path)
        whose = f"of {distribution}" if distribution else "among the app's own files"
        return f"{path.removeprefix(f'{TASK}/')} ({whose})"

    @cached_property
    def _distributions(self) -> Mapping[str, str]:
        """Distributions by path. Read once and only for a message: the RECORDs of a layer may be large."""
        sites = {f"{TASK}/": self.roots.get(TASK), f"{OPT}/python/": self.roots.get(OPT, Path()) / "python"}
        found: dict[str, str] = {}
        for prefix, site in sites.items():
            files = {path.removeprefix(prefix) for path in self.binaries if path.startswith(prefix)}
            if site and files:
                found |= {f"{prefix}{file}": name for file, name in owners(site, files).items()}
        return found


def check(package: Package, runtime: Runtime, architecture: Architecture) -> tuple[str, ...]:
    """Compare a package with its target; return warnings.

    Raises:
        AppError: something that Python imports cannot load there.
    """
    modules = _modules(package, runtime, architecture)
    loader = _LibraryLoader(package.binaries, libraries(runtime), architecture)
    loaded = loader.closure(modules)
    _refuse_newer(package, loaded, runtime)
    _refuse_missing(package, loader, loaded, runtime)
    return tuple(_warnings(package, loader, loaded, runtime))


def _modules(package: Package, runtime: Runtime, architecture: Architecture) -> list[str]:
    """Return the extension modules that fit. A module may have builds for several targets: one has to fit."""
    builds: dict[tuple[str, str], list[str]] = {}
    for path in package.binaries:
        folder, name = posixpath.split(path)
        match = _MODULE.fullmatch(name)
        if match and not (name.startswith("lib") and not match["tag"]):
            builds.setdefault((folder, match["stem"]), []).append(path)
    fitting: list[str] = []
    for paths in builds.values():
        tagged = [path for path in paths if _abi_tag_fits(path, runtime, architecture)]
        right = [path for path in tagged if package.binaries[path].machine == architecture]
        if not right:
            _refuse_build(package, tagged or paths, runtime, architecture, abi=not tagged)
        fitting += right
    return fitting


def _abi_tag_fits(path: str, runtime: Runtime, architecture: Architecture) -> bool:
    match = _MODULE.fullmatch(posixpath.basename(path))
    tag = match["tag"] if match else None
    cp = f".cpython-{runtime.minor.replace('.', '')}"
    return tag in (None, ".abi3", f".abi3-{_TRIPLETS[architecture]}", cp, f"{cp}-{_TRIPLETS[architecture]}")


def _refuse_build(
    package: Package, paths: list[str], runtime: Runtime, architecture: Architecture, *, abi: bool
) -> None:
    """Refuse a module without a fitting build, unless Python would not import it or has a version in Python."""
    path = paths[0]
    match = _MODULE.fullmatch(posixpath.basename(path))
    assert match  # noqa: S101  (only such paths come here)
    binary = package.binaries[path]
    if binary.machine == "unreadable":
        raise AppError(
            Code.WRONG_ARCHITECTURE, f"{package.describe(path)} is damaged or cut off and cannot be loaded",
            hint="Pack the file again, or take the package from the index instead of the zip.",
        )  # fmt: skip
    if binary.machine != architecture:
        if match["tag"] or _is_extension_module(package, path, match["stem"]):
            raise AppError(
                Code.WRONG_ARCHITECTURE,
                f"{package.describe(path)} is built for {binary.machine}, the function runs on {architecture}",
                hint=f"Name the package in the requirements, so that a build for {architecture} is installed, instead "
                "of packing the files of your machine; or set `architecture` in auto-lambda.toml.",
            )
    elif abi:
        raise AppError(
            Code.WRONG_PYTHON_ABI,
            f"{package.describe(path)} is built for another Python: its name says {str(match['tag'])[1:]}, "
            f"the function runs on Python {runtime.minor}, so it will not be found",
            hint=f"Name the package in the requirements, so that a build for Python {runtime.minor} is installed, "
            "instead of packing the files of your machine; or set `python` in auto-lambda.toml.",
        )


def _is_extension_module(package: Package, path: str, stem: str) -> bool:
    """Return whether an untagged file is a module, and not a library that is opened by name."""
    root = TASK if path.startswith(f"{TASK}/") else OPT
    return f"PyInit_{stem}".encode() in (package.roots[root] / path.removeprefix(f"{root}/")).read_bytes()


class _LibraryLoader:
    """Finds libraries as Lambda's loader would, in the package and in the image."""

    def __init__(self, binaries: Mapping[str, Binary], image: frozenset[str], architecture: Architecture) -> None:
        self._binaries = {path: one for path, one in binaries.items() if one.machine == architecture}
        self._image = image
        self._by_name: dict[str, str] = {}
        for path, one in self._binaries.items():
            for name in (posixpath.basename(path), one.soname):
                self._by_name.setdefault(name, path)

    def binary(self, path: str) -> Binary | None:
        return self._binaries.get(path)

    def find(self, name: str, asker: str) -> str | None:
        """Return the path of a needed library, ``""`` if the image has it, None if it is nowhere.

        A library that lies elsewhere in the package counts: packages load such ones themselves before they are needed
        (as `auditwheel`'s loader stubs and torch do), and whether this one does, the start shows.
        """
        origin = posixpath.dirname(asker)
        folders = [_resolve_origin(path, origin) for path in self._binaries[asker].paths]
        for folder in (*folders, *_LIBRARY_FOLDERS):
            if (path := posixpath.normpath(f"{folder}/{name}")) in self._binaries:
                return path
        if name in self._image:
            return ""
        return self._by_name.get(name)

    def missing(self, path: str) -> list[str]:
        return [name for name in self._binaries[path].needed if self.find(name, path) is None]

    def closure(self, modules: Iterable[str]) -> list[str]:
        """Return the modules and all of the package that is loaded with them."""
        seen = dict.fromkeys(modules)
        queue = list(seen)
        while queue:
            path = queue.pop()
            for name in self._binaries[path].needed:
                found = self.find(name, path)
                if found and found not in seen:
                    seen[found] = None
                    queue.append(found)
        return sorted(seen)


def _resolve_origin(path: str, origin: str) -> str:
    return path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _refuse_newer(package: Package, loaded: list[str], runtime: Runtime) -> None:
    newer = [path for path in loaded if package.binaries[path].glibc > runtime.glibc]
    if newer:
        worst = max(newer, key=lambda path: package.binaries[path].glibc)
        raise AppError(
            Code.GLIBC_TOO_NEW,
            f"{package.describe(worst)} needs glibc {_dotted(package.binaries[worst].glibc)}, Lambda's Python "
            f"{runtime.minor} has {_dotted(runtime.glibc)} ({runtime.system}){_and_more(newer)}",
            hint="It was built on a newer system than Lambda's: use the package's manylinux wheel "
            f"(manylinux_{runtime.glibc[0]}_{runtime.glibc[1]} or older), or build it on {runtime.system}.",
        )


def _refuse_missing(package: Package, loader: _LibraryLoader, loaded: list[str], runtime: Runtime) -> None:
    lacking = [path for path in loaded if loader.missing(path)]
    if not lacking:
        return
    names = list(dict.fromkeys(name for path in lacking for name in loader.missing(path)))
    where = f"neither in the package nor in Lambda's {runtime.identifier} ({runtime.system})"
    lines = [f"{package.describe(path)} needs {', '.join(loader.missing(path))}" for path in lacking[:_MAX_LISTED]]
    raise AppError(
        Code.MISSING_LIBRARY,
        f"{'; '.join(lines)}{_and_more(lacking, _MAX_LISTED)}: {where}",
        hint=advice(names, runtime.system),
    )


def _warnings(package: Package, loader: _LibraryLoader, loaded: list[str], runtime: Runtime) -> Iterator[str]:
    others = [path for path in package.binaries if loader.binary(path) and path not in set(loaded)]
    for path in sorted(others)[:1000]:
        if missing := loader.missing(path):
            yield f"{package.describe(path)} will not load if it is used: Lambda lacks {', '.join(missing)}"
        elif package.binaries[path].glibc > runtime.glibc:
            needs = _dotted(package.binaries[path].glibc)
            yield f"{package.describe(path)} will not load if it is used: it needs glibc {needs}"


def _dotted(glibc: tuple[int, int]) -> str:
    return f"{glibc[0]}.{glibc[1]}"


def _and_more(paths: list[str], shown: int = 1) -> str:
    return f", and {len(paths) - shown} more files" if len(paths) > shown else ""
