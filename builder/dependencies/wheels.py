"""Wheels as files: which fit a Lambda runtime, and whether one that strangers' code made is what it should be."""

from __future__ import annotations

import functools
import shutil
import stat
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from auto_lambda.errors import AppError
from builder.dependencies.uv import Target
from builder.source.unpack import ZipLimits, unpack

_LIMITS = ZipLimits(ratio=1000)
# PEP 600: the names that some of the platforms had before.
_LEGACY_PLATFORMS = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


class BadWheel(ValueError):
    """A file is no wheel, or not of the distribution that it should be; the message says what is wrong."""


def fits(filename: str, target: Target) -> bool:
    """Whether the name of a wheel says that it runs on the target; False for a name that is none."""
    try:
        return not parse_wheel_filename(filename)[3].isdisjoint(_tags(target.python, target.platform))
    except InvalidWheelFilename:
        return False


@functools.cache
def _tags(python: str, platform: str) -> frozenset[Tag]:
    major, minor = map(int, python.split("."))
    version, name = (major, minor), f"cp{major}{minor}"
    platforms = list(_platforms(platform))
    return frozenset((*cpython_tags(version, [name], platforms), *compatible_tags(version, name, platforms)))


def _platforms(platform: str) -> Iterator[str]:
    machine, _, library = platform.partition("-")
    newest = int(library.rpartition("_")[2])
    for minor in range(newest, 4, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if legacy := _LEGACY_PLATFORMS.get((2, minor)):
            yield f"{legacy}_{machine}"


def is_for_this_machine_only(filename: str) -> bool:
    """Whether a wheel holds native code that nobody has looked at yet (``linux_x86_64``)."""
    return any(tag.platform.startswith("linux_") for tag in parse_wheel_filename(filename)[3])


def check(wheel: Path, into: Path, *, name: str | None = None, version: str | None = None) -> None:
    """Look into a wheel with the strict zip reader, and see that it is of the distribution that it should be.

    Args:
        wheel: the file.
        into: a folder to unpack it into, new or empty; removed again.
        name: of the distribution, normalised; None takes any.
        version: of the distribution; None takes any.

    Raises:
        BadWheel: it is not.
    """
    if not stat.S_ISREG(wheel.lstat().st_mode):
        raise BadWheel(f"{wheel.name} is not a plain file")
    try:
        told_name, told_version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise BadWheel(str(error)) from None
    if name not in (None, told_name) or (version is not None and Version(version) != told_version):
        raise BadWheel(f"{wheel.name} is not of {name} {version}")
    try:
        unpack(wheel, into, _LIMITS)
        _check_metadata(into, str(told_name), told_version)
    except AppError as error:
        raise BadWheel(f"{wheel.name}: {error.message}") from None
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _check_metadata(tree: Path, name: str, version: Version) -> None:
    infos = list(tree.glob("*.dist-info"))
    if len(infos) != 1 or not all((infos[0] / file).is_file() for file in ("METADATA", "WHEEL", "RECORD")):
        raise BadWheel("it has not exactly one .dist-info with METADATA, WHEEL and RECORD")
    told = HeaderParser().parsestr((infos[0] / "METADATA").read_text(encoding="utf-8", errors="replace"))
    try:
        same = canonicalize_name(str(told["Name"])) == name and Version(str(told["Version"])) == version
    except InvalidVersion:
        same = False
    if not same:
        raise BadWheel(f"its METADATA is of {told['Name']} {told['Version']}, its name of {name} {version}")
