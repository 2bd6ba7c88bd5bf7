"""Find the pinned distributions that have to be built, from the files that the index offers for them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.utils import canonicalize_name

from auto_lambda.errors import AppError, Code
from builder.dependencies.uv import BuildTarget
from builder.dependencies.wheels import fits


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution: ``name==version``, or a path inside the zip, with the hashes of its files."""

    requirement: str
    hashes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " \\\n    ".join((self.requirement, *(f"--hash={one}" for one in self.hashes)))

    @property
    def name(self) -> str | None:
        """The normalised name, None for a path."""
        name, equals, _ = self.requirement.partition("==")
        return canonicalize_name(name.partition("[")[0]) if equals else None


@dataclass(frozen=True, slots=True)
class Sdist:
    """A source distribution on the index. ``name`` is normalised, ``sha256`` in hex."""

    name: str
    version: str
    filename: str
    url: str
    sha256: str


def unwheeled(pylock: str, pins: tuple[Pin, ...], options: tuple[str, ...], target: BuildTarget) -> Mapping[str, Sdist]:
    """Return, by name, the sdists of those pins that no wheel fits, or of which the options allow no wheel.

    Pins that can neither be installed nor built are left out: installing them fails with the reason.

    Args:
        pylock: the files that the index has, as uv lists them (PEP 751).
        pins: only files with their hashes count.
        options: the lock's, as in a requirements file.
        target: what wheels must fit.
    """
    packages = _packages(pylock)
    hashes = {pin.name: frozenset(pin.hashes) for pin in pins if pin.name}
    to_build = [one for one in packages if not _has_wheel(one, hashes.get(one.name), options, target)]
    found = (_sdist(one, hashes[one.name]) for one in to_build if one.name in hashes)
    return {sdist.name: sdist for sdist in found if sdist}


def wheel_bytes(pylock: str, pins: tuple[Pin, ...], target: BuildTarget) -> Mapping[str, int]:
    """Return the size of each pin's smallest wheel that fits, by name and version, where the index says it."""
    names = {pin.name for pin in pins}
    found = {
        f"{one.name} {one.version}": [
            wheel.size for wheel in one.wheels or () if wheel.size and fits(wheel.filename, target)
        ]
        for one in _packages(pylock)
        if one.name in names
    }
    return {name: min(sizes) for name, sizes in found.items() if sizes}


@functools.lru_cache(maxsize=4)
def _packages(pylock: str) -> Sequence[Package]:
    try:
        return Pylock.from_dict(tomllib.loads(pylock)).packages
    except (ValueError, RecursionError, PylockValidationError) as error:
        message = f"the resolution can't be read: {error}"
        raise AppError(Code.BAD_REQUIREMENTS, message, hint="Pin every package that builds from source.") from None


def outgrown(sdists: Mapping[str, Sdist], pins: tuple[Pin, ...]) -> tuple[str, ...]:
    """Return those sdists whose releases do have wheels, but none for a system as old as the target.

    uv lists the hashes of all files of a release, also of those that do not fit.
    """
    return tuple(pin.name for pin in pins if pin.name and pin.name in sdists and len(pin.hashes) > 1)


def _has_wheel(package: Package, hashes: frozenset[str] | None, options: tuple[str, ...], target: BuildTarget) -> bool:
    if {"--no-binary :all:", f"--no-binary {package.name}"} & set(options):
        return False
    wheels = [wheel for wheel in package.wheels or () if _has_known_hash(wheel.hashes, hashes)]
    return any(fits(wheel.filename, target) for wheel in wheels)


def _sdist(package: Package, hashes: frozenset[str]) -> Sdist | None:
    sdist = package.sdist
    if not (sdist and sdist.url and "sha256" in sdist.hashes and _has_known_hash(sdist.hashes, hashes)):
        return None
    return Sdist(package.name, str(package.version), sdist.filename, sdist.url, sdist.hashes["sha256"])


def _has_known_hash(file: Mapping[str, str], hashes: frozenset[str] | None) -> bool:
    return not hashes or any(f"{kind}:{value}" in hashes for kind, value in file.items())
