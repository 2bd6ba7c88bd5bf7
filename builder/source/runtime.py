"""Choose the Python and the architecture that an app is built for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, get_args

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Architecture
from auto_lambda.runtimes import RUNTIMES, newest_first
from builder.source import documents

_MINOR = re.compile(r"(?:c?python-?)?(\d+\.\d+)(?:\.\d+)?", re.IGNORECASE)
_MAX_SPECIFIER = 500  # characters: comparing a version of thousands of digits raises ValueError
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults for what an app does not say.

    Attributes:
        python: a minor, one of ``pythons``.
        pythons: minors that this worker can build for.
        architecture: of Lambda.
        today: to warn of deprecated runtimes; None never warns.
    """

    python: str
    pythons: tuple[str, ...]
    architecture: Architecture = "x86_64"
    today: date | None = None


@dataclass(frozen=True, slots=True)
class PythonChoice:
    """A Python minor and its source, for messages; ``named`` is False if nothing in the app names one."""

    python: str
    said_by: str
    warnings: tuple[str, ...] = ()
    named: bool = True


def parse_minor(text: Any, where: str) -> str:
    """Read ``3.12``, ``3.12.4`` or ``python3.12`` as ``3.12``. Numbers are refused, as 3.10 would be 3.1.

    Raises:
        AppError: ``unknown-python``.
    """
    if isinstance(text, str) and (match := _MINOR.fullmatch(text.strip())):
        return match[1]
    raise AppError(
        Code.UNKNOWN_PYTHON,
        f"{where} is {documents.short_repr(text)}, which is not a Python version",
        hint='Write a minor, as in "3.12".',
    )


def parse_architecture(value: Any, where: str) -> Architecture:
    """Check an architecture's name.

    Raises:
        AppError: ``unknown-architecture``.
    """
    for known in ARCHITECTURES:
        if value == known:
            return known
    raise AppError(
        Code.UNKNOWN_ARCHITECTURE,
        f"{where} is {documents.short_repr(value)}, which Lambda doesn't offer",
        hint=f"Use one of: {', '.join(ARCHITECTURES)}.",
    )


def choose_python(named: tuple[tuple[Any, str], ...], folders: tuple[Path, ...], defaults: Defaults) -> PythonChoice:
    """Choose by the settings, else ``.python-version``, else ``requires-python``, else the default.

    Args:
        named: values of settings with their place, most important first; None is skipped.
        folders: where to look for files: the app's folder, then those above it inside the zip.
        defaults: its Pythons are those that can be built.

    Raises:
        AppError: ``unknown-python`` for one that Lambda or this worker doesn't have; ``bad-config`` for a file that
            can't be read.
    """
    choice = _choose(named, folders, defaults)
    _check_available(choice, defaults)
    return replace(choice, warnings=(*choice.warnings, *_end_of_life_warning(choice.python, defaults.today)))


def _choose(named: tuple[tuple[Any, str], ...], folders: tuple[Path, ...], defaults: Defaults) -> PythonChoice:
    for value, where in named:
        if value is not None:
            return PythonChoice(parse_minor(value, where), where)
    warnings: list[str] = []
    for file in _files(folders, ".python-version"):
        if minor := _read_python_version(file):
            return PythonChoice(minor, file.name)
        warnings.append(".python-version is ignored: it holds no version that can be read")
    for file in _files(folders, "pyproject.toml"):
        if spec := _requires_python(file):
            return PythonChoice(_pick_satisfying(spec, defaults), "requires-python in pyproject.toml", tuple(warnings))
    return PythonChoice(defaults.python, "the worker's default", tuple(warnings), named=False)


def _files(folders: tuple[Path, ...], name: str) -> Iterator[Path]:
    return (folder / name for folder in folders if (folder / name).is_file())


def _read_python_version(file: Path) -> str | None:
    """Read the first line that is not a comment. Names of pyenv's or other tools' environments are no versions."""
    with file.open(encoding="utf-8", errors="replace") as opened:
        text = opened.read(4096)
    for line in text.splitlines():
        if word := line.partition("#")[0].strip():
            match = _MINOR.fullmatch(word)
            return match[1] if match else None
    return None


def _requires_python(file: Path) -> SpecifierSet | None:
    project = documents.read(file, file.name).get("project")
    text = project.get("requires-python") if isinstance(project, dict) else None
    if text is None:
        return None
    try:
        if len(text) > _MAX_SPECIFIER:
            raise InvalidSpecifier
        return SpecifierSet(text)
    except (InvalidSpecifier, AttributeError, TypeError):
        raise documents.bad_config(
            file.name,
            f"requires-python {documents.short_repr(text)} is not a version specifier",
            hint='Write one as in ">=3.11".',
        ) from None


def _pick_satisfying(spec: SpecifierSet, defaults: Defaults) -> str:
    for minor in (defaults.python, *newest_first(defaults.pythons)):
        # Lambda's patch level changes by itself and is late in its series; a bound may also name the first release.
        if spec.contains(f"{minor}.99") or spec.contains(f"{minor}.0"):
            return minor
    raise AppError(
        Code.UNKNOWN_PYTHON,
        f"requires-python in pyproject.toml is {documents.short_repr(str(spec))}, and no available Python satisfies it",
        hint=_available_hint(defaults),
    )


def _check_available(choice: PythonChoice, defaults: Defaults) -> None:
    if choice.python not in RUNTIMES:
        raise _unavailable(choice, "Lambda doesn't offer it", defaults)
    if choice.python not in defaults.pythons:
        raise _unavailable(choice, "this worker can't build for it", defaults)


def _unavailable(choice: PythonChoice, why: str, defaults: Defaults) -> AppError:
    message = f"{choice.said_by} asks for Python {choice.python}, but {why}"
    return AppError(Code.UNKNOWN_PYTHON, message, hint=_available_hint(defaults))


def _available_hint(defaults: Defaults) -> str:
    return f"Choose one of: {', '.join(reversed(newest_first(defaults.pythons)))}."


def _end_of_life_warning(minor: str, today: date | None) -> tuple[str, ...]:
    runtime = RUNTIMES[minor]
    if today is None or today < runtime.deprecated:
        return ()
    return (
        f"Python {minor} on Lambda has had no security patches since {runtime.deprecated}; functions that use it "
        f"can't be changed from {runtime.update_blocked}",
    )
