"""Read every place where an app says which Pythons it is for, besides settings that name one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from builder.source import documents

_MAX_SPECIFIER = 500  # characters: comparing a version of thousands of digits raises ValueError
_MAX_TEXT = 8_000_000  # bytes of a lock
_HEAD = 8192  # characters at the top of a lock that are about all of it
_FILES_WITH_CLASSIFIERS = ("pyproject.toml", "setup.cfg", "setup.py")
_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d{1,3})\b")
_SETUP_PY = re.compile(r"""\bpython_requires *= *["']([^"'\n]{1,200})["']""")
_SETUP_CFG = re.compile(r"(?m)^python_requires *[=:] *([^\n#]{1,200})$")
_IN_LOCK = {
    "uv.lock": re.compile(r'(?m)^requires-python = "([^"\n]{1,200})"'),
    "pylock.toml": re.compile(r'(?m)^requires-python = "([^"\n]{1,200})"'),
    "pdm.lock": re.compile(r'(?m)^requires_python = "([^"\n]{1,200})"'),
    "poetry.lock": re.compile(r'(?m)^python-versions = "([^"\n]{1,200})"'),
}
_POETRY_OPERATOR = re.compile(r"^([~^]|[<>=!~]{0,3}) *(\d[\w.*+-]{0,80})$")


@dataclass(frozen=True, slots=True)
class PythonBound:
    """A range of Pythons, one of ``alternatives``, and where the app says it."""

    alternatives: tuple[SpecifierSet, ...]
    said_by: str

    def allows(self, minor: str) -> bool:
        """Return whether some release of a minor is in it."""
        # Lambda's patch level changes by itself and is late in its series; a bound may also name the first release.
        return any(one.contains(f"{minor}.99") or one.contains(f"{minor}.0") for one in self.alternatives)

    def __str__(self) -> str:
        return " || ".join(map(str, self.alternatives))


def python_bounds(folders: tuple[Path, ...], warnings: list[str]) -> Iterator[PythonBound]:
    """Yield the bounds of the files in these folders, most important first.

    Args:
        folders: the app's folder, then those above it inside the zip.
        warnings: takes a line for what can't be understood.

    Raises:
        AppError: ``bad-config`` for a pyproject.toml that can't be read.
    """
    for folder in folders:
        for text, said_by in _said_in(folder):
            if (bound := _bound(text, said_by)) is None:
                warnings.append(f"{said_by} is ignored: {documents.short_repr(text)} is no range of Python versions")
            elif bound.alternatives:
                yield bound


def classified(folders: tuple[Path, ...]) -> frozenset[str]:
    """Return the minors of the app's classifiers, which say on what it was tested."""
    for folder in folders:
        texts = [_text(folder / name) for name in _FILES_WITH_CLASSIFIERS if (folder / name).is_file()]
        if found := {minor for text in texts for minor in _CLASSIFIER.findall(text)}:
            return frozenset(found)
    return frozenset()


def _said_in(folder: Path) -> Iterator[tuple[Any, str]]:
    if (folder / "pyproject.toml").is_file():
        yield from _in_pyproject(folder / "pyproject.toml")
    yield from _in_pipenv(folder)
    for name, expression in (("setup.cfg", _SETUP_CFG), ("setup.py", _SETUP_PY)):
        if (folder / name).is_file() and (match := expression.search(_text(folder / name))):
            yield match[1].strip(), f"python_requires in {name}"
    for name, expression in _IN_LOCK.items():
        if (folder / name).is_file() and (match := expression.search(_about_all(folder / name))):
            yield match[1], name


def _in_pyproject(file: Path) -> Iterator[tuple[Any, str]]:
    data = documents.read(file, file.name)
    project = data.get("project")
    text = project.get("requires-python") if isinstance(project, dict) else None
    if text is not None:
        if _specifiers(text) is None:
            raise documents.bad_config(
                file.name,
                f"requires-python {documents.short_repr(text)} is not a version specifier",
                hint='Write one as in ">=3.11".',
            )
        yield text, "requires-python in pyproject.toml"
    poetry = _table(_table(_table(data.get("tool")).get("poetry")).get("dependencies"))
    if "python" in poetry:
        python = poetry["python"]
        yield python.get("version") if isinstance(python, dict) else python, "python in [tool.poetry.dependencies]"


def _in_pipenv(folder: Path) -> Iterator[tuple[Any, str]]:
    for name in ("Pipfile", "Pipfile.lock"):
        try:
            text = _text(folder / name)
            data = json.loads(text).get("_meta") if name == "Pipfile.lock" else documents.parse_toml(text)
        except (OSError, ValueError, AttributeError, RecursionError):
            continue  # told where the dependencies are read
        requires = _table(_table(data).get("requires"))
        if version := requires.get("python_version") or requires.get("python_full_version"):
            yield version, f"[requires] in {name}" if name == "Pipfile" else f"_meta.requires in {name}"


def _about_all(lock: Path) -> str:
    """Return the part of a lock that is about all of it, not about one of its packages."""
    text = _text(lock)
    return text.rpartition("\n[metadata]\n")[2] if lock.name == "poetry.lock" else text[:_HEAD]


def _bound(text: Any, said_by: str) -> PythonBound | None:
    """Return a bound, with no alternatives if every Python is allowed, or None if it can't be read."""
    if not isinstance(text, str) or len(text) > _MAX_SPECIFIER:
        return None
    if text.strip() in ("", "*"):
        return PythonBound((), said_by)
    found = [_specifiers(part) or _specifiers(_from_poetry(part)) for part in re.split(r"\|\|?", text)]
    sets = tuple(one for one in found if one is not None)
    return PythonBound(sets, said_by) if len(sets) == len(found) else None


def _specifiers(text: Any) -> SpecifierSet | None:
    try:
        return SpecifierSet(text) if isinstance(text, str) and len(text) <= _MAX_SPECIFIER else None
    except InvalidSpecifier:
        return None


def _from_poetry(text: str) -> str:
    """Convert Poetry's and Pipenv's notation: ``^3.9 !=3.10``, ``~3.12``, or a bare ``3.12``, which is all of it."""
    parts = re.sub(r"([<>=!~^]) +", r"\1", text).replace(",", " ").split()
    return ",".join(_from_poetry_part(part) for part in parts)


def _from_poetry_part(part: str) -> str:
    match = _POETRY_OPERATOR.match(part)
    if not match:
        return part
    operator, version = match[1], match[2]
    numbers = [number for number in version.split(".") if number.isdecimal()][:3]
    if operator == "^":
        return f">={version},<{int(numbers[0]) + 1}" if numbers else part
    if operator == "~":
        return f">={version},=={'.'.join(numbers[:2])}.*"
    return f"=={'.'.join(numbers[:2])}.*" if operator == "" and numbers else part


def _text(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as opened:
        return opened.read(_MAX_TEXT)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
