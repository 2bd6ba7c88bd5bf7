"""Choose the Python and the architecture that an app is built for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, get_args

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Architecture
from auto_lambda.runtimes import RUNTIMES, newest_first
from builder.source import documents
from builder.source.python_bounds import PythonBound, classified, python_bounds

_MINOR = re.compile(r"(?:c?python-?)?(\d+\.\d+)(?:\.\d+)?", re.IGNORECASE)
_RETIRED = ("3.6", "3.7", "3.8", "3.9")
"""Minors that Lambda offered once; those that it retires next are known by their dates."""
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults for what an app does not say.

    Attributes:
        python: a minor, one of ``pythons``.
        pythons: minors that this worker can build for.
        architecture: of Lambda.
        today: to warn of deprecated runtimes; None never warns.
        replace_retired: take the oldest supported Python for a retired one, instead of refusing the app.
    """

    python: str
    pythons: tuple[str, ...]
    architecture: Architecture = "x86_64"
    today: date | None = None
    replace_retired: bool = True


@dataclass(frozen=True, slots=True)
class PythonChoice:
    """A Python minor and its source, for messages; ``others`` suit the app as well, the best first."""

    python: str
    said_by: str
    warnings: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


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
        hint='Write a minor in quotes, as in python = "3.12" in auto-lambda.toml.',
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
    """Choose by what names one Python, else by all ranges that the app gives, else take the default.

    Args:
        named: values of settings with their place, most important first; None is skipped.
        folders: where to look for files: the app's folder, then those above it inside the zip.
        defaults: its Pythons are those that can be built.

    Raises:
        AppError: ``unknown-python`` for one that Lambda or this worker doesn't have; ``bad-config`` for a file that
            can't be read.
    """
    choice = _choose(named, folders, defaults)
    return replace(choice, warnings=(*choice.warnings, *_end_of_life_warning(choice.python, defaults.today)))


def how_to_fix(python: str) -> str:
    """Say how an app fixes its Python."""
    return f'python = "{python}" in auto-lambda.toml fixes it'


def _choose(named: tuple[tuple[Any, str], ...], folders: tuple[Path, ...], defaults: Defaults) -> PythonChoice:
    for value, where in named:
        if value is not None:
            return _exactly(parse_minor(value, where), where, defaults)
    warnings: list[str] = []
    for name, read in _VERSION_FILES:
        for file in _files(folders, name):
            if minor := read(file):
                return _exactly(minor, file.name, defaults)
            if read is _read_python_version:
                warnings.append(f"{name} is ignored: it holds no version that can be read")
    choice = _within(tuple(python_bounds(folders, warnings)), folders, defaults)
    return replace(choice, warnings=(*warnings, *choice.warnings))


def _exactly(minor: str, where: str, defaults: Defaults) -> PythonChoice:
    if minor in defaults.pythons and minor in RUNTIMES:
        return PythonChoice(minor, where)
    if minor in _retired(defaults):
        return _instead_of_retired(f"{where} asks for Python {minor}", defaults)
    choice = PythonChoice(minor, where)
    if minor not in RUNTIMES:
        raise _unavailable(choice, "Lambda doesn't offer it", defaults)
    raise _unavailable(choice, "this worker can't build for it", defaults)


def _within(bounds: tuple[PythonBound, ...], folders: tuple[Path, ...], defaults: Defaults) -> PythonChoice:
    """Choose among the Pythons that all bounds allow, else the first of them: the others may be out of date."""
    offered = tuple(dict.fromkeys((defaults.python, *newest_first(defaults.pythons))))
    for counting in (bounds, bounds[:1]):
        if fitting := tuple(one for one in offered if all(bound.allows(one) for bound in counting)):
            return _preferred(fitting, bounds, folders)
    first = bounds[0]
    if any(first.allows(one) for one in _retired(defaults)):
        return _instead_of_retired(f"{first.said_by} is {documents.short_repr(str(first))}", defaults)
    raise AppError(
        Code.UNKNOWN_PYTHON,
        f"{first.said_by} is {documents.short_repr(str(first))}, and no available Python satisfies it",
        hint=_available_hint(defaults),
    )


def _preferred(fitting: tuple[str, ...], bounds: tuple[PythonBound, ...], folders: tuple[Path, ...]) -> PythonChoice:
    """Put those first that the app's classifiers name: that is what it was tested on."""
    tested = classified(folders)
    first, *others = sorted(fitting, key=lambda one: bool(tested) and one not in tested)
    if first != fitting[0]:
        told = f"Python {first} is used, as the app's classifiers name it and not {fitting[0]}: {how_to_fix(first)}"
        return PythonChoice(first, "the app's classifiers", (told,), tuple(others))
    return PythonChoice(first, bounds[0].said_by if bounds else "the worker's default", (), tuple(others))


def _retired(defaults: Defaults) -> tuple[str, ...]:
    today = defaults.today
    return (*_RETIRED, *(one.minor for one in RUNTIMES.values() if today is not None and one.deprecated <= today))


def _instead_of_retired(asked: str, defaults: Defaults) -> PythonChoice:
    if not defaults.replace_retired:
        raise AppError(
            Code.UNKNOWN_PYTHON,
            f"{asked}, which Lambda has retired, and this pipeline takes no other in its place",
            hint=_available_hint(defaults),
        )
    oldest_first = newest_first(defaults.pythons)[::-1]
    alive = [one for one in oldest_first if one not in _retired(defaults)]
    python = (*alive, *oldest_first)[0]
    told = (
        f"{asked}, which Lambda has retired: Python {python} is used, the oldest that is supported "
        f"({how_to_fix(python)})"
    )
    return PythonChoice(python, asked, (told,))


def _files(folders: tuple[Path, ...], name: str) -> Iterator[Path]:
    return (folder / name for folder in folders if (folder / name).is_file())


def _read_python_version(file: Path) -> str | None:
    """Read the first line that is not a comment. Names of pyenv's or other tools' environments are no versions."""
    for word in _first_words(file):
        match = _MINOR.fullmatch(word)
        return match[1] if match else None
    return None


def _read_tool_versions(file: Path) -> str | None:
    """Read asdf's and mise's line for Python, ``python 3.12.4``; a file without one says nothing."""
    found = (line.split() for line in _first_words(file))
    matches = (_MINOR.fullmatch(words[1]) for words in found if len(words) > 1 and words[0] == "python")
    return next((match[1] for match in matches if match), None)


def _first_words(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as opened:
        text = opened.read(4096)
    return (word for line in text.splitlines() if (word := line.partition("#")[0].strip()))


_VERSION_FILES = (
    (".python-version", _read_python_version),
    ("runtime.txt", _read_python_version),
    (".tool-versions", _read_tool_versions),
)


def _unavailable(choice: PythonChoice, why: str, defaults: Defaults) -> AppError:
    message = f"{choice.said_by} asks for Python {choice.python}, but {why}"
    hint = _available_hint(defaults)
    if choice.python in RUNTIMES:
        hint += (
            f" Or install python{choice.python} on the worker, as by its package manager or "
            f"`uv python install {choice.python}`, and start the worker again."
        )
    return AppError(Code.UNKNOWN_PYTHON, message, hint=hint)


def _available_hint(defaults: Defaults) -> str:
    known = newest_first(defaults.pythons)
    return (
        f'Choose one of: {", ".join(reversed(known))}. Write it there, or as python = "{known[0]}" into '
        "auto-lambda.toml, which comes first."
    )


def _end_of_life_warning(minor: str, today: date | None) -> tuple[str, ...]:
    runtime = RUNTIMES[minor]
    if today is None or today < runtime.deprecated:
        return ()
    return (
        f"Python {minor} on Lambda has had no security patches since {runtime.deprecated}; functions that use it "
        f"can't be changed from {runtime.update_blocked}",
    )
