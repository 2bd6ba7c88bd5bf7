"""Check wheels: which fit a Lambda runtime, and whether one from an untrusted build is what it should be."""

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
from builder.dependencies.uv import BuildTarget
from builder.source.unpack import ZipLimits, unpack

_LIMITS = ZipLimits(ratio=1000)
_MAX_NAME = 255  # characters of a file's name, as on Linux; the tags in it multiply
# PEP 600: the names that some of the platforms had before.
_LEGACY_PLATFORMS = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


class BadWheel(ValueError):
    """The file is no wheel, or not of the right distribution; the message says what is wrong."""


def fits(filename: str, target: BuildTarget) -> bool:
    """Return whether a wheel's name says that it runs on the target; False for a name that is no wheel's."""
    if len(filename) > _MAX_NAME:
        return False
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
    """Return whether a wheel's name says that its native code is for this machine (``linux_x86_64``)."""
    return any(tag.platform.startswith("linux_") for tag in parse_wheel_filename(filename)[3])


def check(wheel: Path, into: Path, *, name: str | None = None, version: str | None = None) -> None:
    """Check a wheel with the strict zip reader, and that it is of the right distribution.

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
        given_name, given_version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise BadWheel(str(error)) from None
    if name not in (None, given_name) or (version is not None and Version(version) != given_version):
        raise BadWheel(f"{wheel.name} is not of {name} {version}")
    try:
        unpack(wheel, into, _LIMITS)
        _check_metadata(into, str(given_name), given_version)
    except AppError as error:
        raise BadWheel(f"{wheel.name}: {error.message}") from None
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _check_metadata(tree: Path, name: str, version: Version) -> None:
    infos = list(tree.glob("*.dist-info"))
    if len(infos) != 1 or not all((infos[0] / file).is_file() for file in ("METADATA", "WHEEL", "RECORD")):
        raise BadWheel("it has not exactly one .dist-info with METADATA, WHEEL and RECORD")
    metadata = HeaderParser().parsestr((infos[0] / "METADATA").read_text(encoding="utf-8", errors="replace"))
    try:
        same = canonicalize_name(str(metadata["Name"])) == name and Version(str(metadata["Version"])) == version
    except InvalidVersion:
        same = False
    if not same:
        raise BadWheel(f"its METADATA is of {metadata['Name']} {metadata['Version']}, its name of {name} {version}")
