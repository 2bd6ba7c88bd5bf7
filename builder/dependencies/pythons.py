"""Order the Pythons that an app may run on by what its dependencies say, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from auto_lambda.errors import AppError, Code
from builder.dependencies.lock import Lock
from builder.dependencies.manifests import Manifest
from builder.dependencies.requirement_lines import Requirements
from builder.dependencies.sdists import outgrown

ZAPPA_SINCE = {"3.10": "0.57.0", "3.11": "0.58.0", "3.12": "0.59.0", "3.13": "0.60.0", "3.14": "0.61.4"}
"""The first zappa that takes each Python: every release refuses to be imported on what is not in its own list (its
``__init__.py``, read in releases 0.54.2 to 0.63.0)."""

CURABLE = frozenset({
    Code.REQUIREMENTS_CONFLICT, Code.REQUIREMENT_NOT_FOUND, Code.DEPENDENCY_BUILD_FAILED, Code.DEPENDENCY_DOES_NOT_FIT,
})  # fmt: skip
"""What another Python may cure: another release or wheel may fit there."""

_FEW = 2  # lines with markers that may all be for other Pythons


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A Python that is not taken, and why."""

    python: str
    why: str


def first_line(error: AppError) -> str:
    """Return an error's first line, short."""
    return error.message.partition("\n")[0].rstrip(":")[:300]


def unsuited(manifest: Manifest, python: str) -> str | None:
    """Say why a manifest is not for a Python, or return None if it may be."""
    lines = manifest.lines
    markers = [Requirement(line).marker for line in lines.requirements]
    environment = {"python_version": python, "python_full_version": f"{python}.99"}
    if (
        len(markers) >= _FEW
        and not lines.local
        and not any(one is None or one.evaluate(environment) for one in markers)
    ):
        return f"every line of {manifest.shown} is left out by its marker"
    if (pinned := zappa_pin(lines)) and not zappa_takes(pinned, python):
        return f"zappa {pinned} does not support it"
    return None


def zappa_pin(lines: Requirements) -> Version | None:
    """Return the release of zappa that a manifest pins."""
    return next(_zappa_pins(lines), None)


def zappa_takes(version: Version, python: str) -> bool:
    """Return whether a release of zappa can be imported on a Python."""
    return python not in ZAPPA_SINCE or version >= Version(ZAPPA_SINCE[python])


def with_zappa_for(manifest: Manifest, python: str, ours: str) -> tuple[Manifest, tuple[str, ...]]:
    """Make sure that the zappa of a manifest runs on a Python, as far back as any resolution may go.

    Args:
        manifest: of the app.
        python: the target's minor.
        ours: the requirement for the release whose handler knows it, to replace a pin that does not: deploying is not
            its work here, and all releases call the app alike.

    Returns:
        The manifest, and a warning if its pin was replaced.
    """
    lines = manifest.lines
    asked = [one for one in (*lines.requirements, *lines.constraints) if _is_zappa(one)]
    since = ZAPPA_SINCE.get(python)
    if not asked or since is None:
        return manifest, ()
    release = Version(ours.partition("==")[2])
    known = {release, *map(Version, ZAPPA_SINCE.values()), *_zappa_pins(lines)}
    wanted = SpecifierSet(",".join(str(Requirement(one).specifier) for one in asked if Requirement(one).specifier))
    if any(zappa_takes(one, python) and wanted.contains(one) for one in known):
        bound = (f"zappa>={since}",) if not manifest.complete else ()
        return replace(manifest, lines=replace(lines, constraints=(*lines.constraints, *bound))), ()
    kept = tuple(one for one in lines.requirements if not _is_zappa(one))
    constraints = tuple(one for one in lines.constraints if not _is_zappa(one))
    hashes = {name: found for name, found in lines.hashes.items() if name != "zappa"}
    told = f"zappa{wanted} does not run on Python {python}: the function runs the handler of {ours}; require that"
    changed = replace(lines, requirements=(*kept, ours), constraints=constraints, hashes=hashes)
    return replace(manifest, lines=changed), (told,)


def _is_zappa(line: str) -> bool:
    return canonicalize_name(Requirement(line).name) == "zappa"


def _zappa_pins(lines: Requirements) -> Iterator[Version]:
    for line in (*lines.requirements, *lines.constraints):
        requirement = Requirement(line)
        if _is_zappa(line):
            for specifier in requirement.specifier:
                if specifier.operator in ("==", "===") and not specifier.version.endswith(".*"):
                    try:
                        yield Version(specifier.version)
                    except InvalidVersion:
                        continue


def without_wheel(lock: Lock) -> tuple[str, ...]:
    """Return what has wheels, but none for this Python, as ``name version``."""
    sdists = lock.unwheeled or {}
    return tuple(f"{name} {sdists[name].version}" for name in outgrown(sdists, lock.pins))
