"""Choose the files of a folder that belong to its app: neither secrets, nor what git ignores, nor caches."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

# Version control, environments, caches, editors' own files.
NO_PART = (
    ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules",
    "__pycache__", "*.pyc", "*.pyo", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".coverage",
    "*.egg-info", ".idea", ".vscode", ".DS_Store", ".auto-lambda", "Thumbs.db",
)  # fmt: skip
# Written by `chalice deploy`; by path, because the settings are in the same folder.
NO_PART_PATHS = (".chalice/deployed", ".chalice/deployments", ".chalice/venv")
# Settings of tools with passwords and tokens, and key stores, which cannot be looked into.
SECRETS = (
    ".env*", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd",
    ".aws", ".azure", ".gnupg", ".kube", ".ssh", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
    "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.tfstate", "*.tfstate.backup",
)  # fmt: skip
# The builder reads these; packed even if git ignores them.
NEEDED = (
    ".chalice", "auto-lambda.toml", "zappa_settings.*", ".python-version", "pyproject.toml", "uv.lock", "poetry.lock",
    "Pipfile", "Pipfile.lock", "requirements*.txt", "zappa_requirements.txt",
)  # fmt: skip
# Files that hold a private key in their midst, such as one behind its certificates.
_KEY_FILES = ("*.pem", "*.key", "*.crt", "*.cer", "*.p8", "*.pk8", "*.asc", "*.json")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_LOOKED_INTO = 65_536  # bytes


class Reason(StrEnum):
    """Why something is left out; the values are keys of ``deploy --json``."""

    SECRET = "secrets"  # noqa: S105 - a reason
    IGNORED = "gitignore"
    NO_PART = "other"


@dataclass(frozen=True, slots=True)
class Selection:
    """The files of an app.

    Attributes:
        files: their names below the folder, in order.
        left_out: what is left out, by reason; a folder, whose name ends in a slash, stands for all that is in it.
        kept: files among ``files`` that git ignores, but the builder needs.
    """

    files: tuple[str, ...]
    left_out: Mapping[Reason, tuple[str, ...]]
    kept: tuple[str, ...]


class LinkToFolder(ValueError):
    """A symbolic link leads to a folder; the message names it."""


class _Rule:
    """One line of a ``.gitignore``. Of all that match a name itself, not a folder above it, the last one counts."""

    def __init__(self, line: str) -> None:
        # To pathspec, `b/**/` is `b` itself; to git, it is every folder below.
        self._of_folders_below = line.rstrip().endswith("/**/")
        self._pattern = GitIgnoreSpecPattern(line.rstrip()[:-1] if self._of_folders_below else line)
        self.ignores = self._pattern.include
        text = line.strip().removeprefix("!").rstrip("/").removeprefix("**/")
        self._of_any_folder = "/" not in text
        self._of_all_below = text.endswith("/**")

    def matches(self, name: str) -> bool:
        """Tell whether it matches a name itself; the name of a folder ends in a slash."""
        if self.ignores is None:  # a comment
            return False
        if self._of_folders_below and not name.endswith("/"):
            return False
        if self._of_any_folder:
            name = name[name.rstrip("/").rfind("/") + 1 :]
        elif self._of_all_below:  # which the folder itself is not
            name = name.rstrip("/")
        found = self._pattern.match_file(name)
        return found is not None and (self._of_any_folder or self._of_all_below or found.match.end() == len(name))


@dataclass(frozen=True, slots=True)
class _Ignore:
    """A ``.gitignore``; ``above`` is the way from its folder to the app's, ``below`` the way from the app's to it."""

    rules: tuple[_Rule, ...]
    above: str
    below: str

    def says(self, name: str) -> bool | None:
        """Tell whether it ignores a name below the app's folder; None if it says nothing about it."""
        here = self.above + name.removeprefix(self.below)
        return next((rule.ignores for rule in reversed(self.rules) if rule.matches(here)), None)


def select(folder: Path, include: Sequence[str] = ()) -> Selection:
    """Choose the app's files in a folder.

    Args:
        folder: the app's folder.
        include: patterns as in ``.gitignore``, relative to the folder: what matches is packed whatever names it.

    Raises:
        LinkToFolder: a link to a folder is part of the app.
        OSError: a folder cannot be read.
    """
    walk = _Walk(folder, GitIgnoreSpec.from_lines(include))
    walk.through("", _above(folder), None)
    left_out = {reason: tuple(sorted(names)) for reason, names in walk.left_out.items() if names}
    return Selection(tuple(sorted(walk.files)), left_out, tuple(sorted(walk.kept)))


class _Walk:
    def __init__(self, folder: Path, include: GitIgnoreSpec) -> None:
        self._folder = folder
        self._include = include
        self.files: list[str] = []
        self.kept: list[str] = []
        self.left_out: dict[Reason, list[str]] = {reason: [] for reason in Reason}

    def through(self, here: str, ignores: tuple[_Ignore, ...], inherited: Reason | None) -> None:
        """Choose in one folder and below; ``inherited`` is the reason that the folder itself is left out."""
        if own := _read(self._folder / here / ".gitignore", below=here):
            ignores = (*ignores, own)
        for entry in sorted(os.scandir(self._folder / here), key=lambda entry: entry.name):
            folder = entry.is_dir(follow_symlinks=False)
            name = here + entry.name + ("/" if folder else "")
            reason = None if self._include.match_file(name) else inherited or self._reason(entry, name, ignores)
            if reason and not inherited:
                self.left_out[reason].append(name)
            if folder:
                if reason is None or self._include:
                    self.through(name, ignores, reason)
            elif reason is None:
                self._take(entry, name, ignores)

    def _take(self, entry: os.DirEntry[str], name: str, ignores: Sequence[_Ignore]) -> None:
        if entry.is_symlink() and entry.is_dir():
            raise LinkToFolder(f"{name} is a link to a folder: replace it by the folder itself")
        self.files.append(name)
        if _is_needed(name) and _ignored(name, ignores):
            self.kept.append(name)

    def _reason(self, entry: os.DirEntry[str], name: str, ignores: Sequence[_Ignore]) -> Reason | None:
        if _matches(entry.name, NO_PART) or name.rstrip("/") in NO_PART_PATHS or Path(entry, "pyvenv.cfg").exists():
            return Reason.NO_PART
        if _matches(entry.name, SECRETS):
            return Reason.SECRET
        if _is_needed(name):
            return None
        if _ignored(name, ignores):
            return Reason.IGNORED
        return Reason.SECRET if entry.is_file() and _holds_a_private_key(Path(entry)) else None


def _ignored(name: str, ignores: Sequence[_Ignore]) -> bool:
    said = (ignore.says(name) for ignore in reversed(ignores))
    return next((answer for answer in said if answer is not None), False)


def _is_needed(name: str) -> bool:
    return _matches(PurePosixPath(name).name, NEEDED) or ".chalice" in PurePosixPath(name).parts


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _holds_a_private_key(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            if _matches(file.name.lower(), _KEY_FILES):
                return bool(_PRIVATE_KEY.search(content.read(_LOOKED_INTO)))
            return bool(_PRIVATE_KEY.match(content.read(200).lstrip(b"\xef\xbb\xbf \t\r\n")))
    except OSError:
        return False  # told when it is packed


def _above(folder: Path) -> tuple[_Ignore, ...]:
    """Return the rules of the folders above, up to the repository's top, unless they ignore the whole folder."""
    folder = folder.resolve()
    top = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    found: tuple[_Ignore, ...] = ()
    for place in reversed([place for place in folder.parents if place.is_relative_to(top)]):
        way = f"{folder.relative_to(place).as_posix()}/"
        if ignore := _read(place / ".gitignore", above=way):
            found = (*found, ignore)
    return () if _ignored("", found) else found


def _read(file: Path, *, above: str = "", below: str = "") -> _Ignore | None:
    try:
        text = file.read_text(errors="surrogateescape")
    except OSError:  # there is none, or it is a folder
        return None
    return _Ignore(tuple(_Rule(line) for line in text.split("\n") if _makes_sense(line)), above, below)


def _makes_sense(line: str) -> bool:
    try:
        GitIgnoreSpecPattern(line)
    except ValueError:  # git, too, passes over such a pattern
        return False
    return True
