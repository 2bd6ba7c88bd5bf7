"""Order the Pythons that an app may run on by what its dependencies say, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
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


def _zappa_pins(lines: Requirements) -> Iterator[Version]:
    for line in (*lines.requirements, *lines.constraints):
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) == "zappa":
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
