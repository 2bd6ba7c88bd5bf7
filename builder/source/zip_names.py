"""Decide which names in a zip are accepted, and as which paths."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Container
from dataclasses import dataclass

from auto_lambda.errors import AppError, Code

_MADE_ON_WINDOWS = {0, 10, 14}  # FAT, NTFS, VFAT: the makers among these that write backslashes mean separators
_UTF8_FLAG = 0x800
_DRIVE = re.compile(r"[A-Za-z]:")
_MAX_COMPONENT_BYTES, _MAX_PATH_BYTES = 255, 1024
_REFUSED_CATEGORIES = {
    "Cc": "a control character",
    "Cf": "an invisible or direction-changing character",
    "Cs": "half a character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
_JUNK_FOLDER, _JUNK_FILE = "__MACOSX", ".DS_Store"
_ICONS = ("Icon\r", "._Icon\r")  # of a folder, in macOS
_APPLE_DOUBLE = "._"


def entry_path(info: zipfile.ZipInfo, max_depth: int) -> tuple[str, ...]:
    """Return the path of an entry as its parts, ``()`` for the archive's own root.

    Backslashes are separators in zips made on Windows and refused in others; one leading ``./`` is dropped.

    Raises:
        AppError: ``zip-unsafe-name``.
    """
    name = _decode(info)
    if name.rpartition("/")[2] in _ICONS:
        name = f"{name.rpartition('/')[0]}/{_JUNK_FILE}".lstrip("/")
    if why := _refused_character(name):
        raise _unsafe(name, why)
    if "\\" in name:
        if info.create_system not in _MADE_ON_WINDOWS:
            raise _unsafe(name, "contains a backslash")
        name = name.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name):
        raise _unsafe(name, "is not relative")
    parts = name.removesuffix("/").removeprefix("./").split("/")
    if parts in ([""], ["."]) and name:
        return ()
    _check_parts(name, parts, max_depth)
    return tuple(parts)


def is_junk(path: tuple[str, ...], others: Container[tuple[str, ...]] = ()) -> bool:
    """Return whether a path is only what macOS adds to zips: ``._name`` is, beside another entry ``name``."""
    if _JUNK_FOLDER in path or path[-1] == _JUNK_FILE:
        return True
    return any(
        part.startswith(_APPLE_DOUBLE) and (*path[:depth], part.removeprefix(_APPLE_DOUBLE)) in others
        for depth, part in enumerate(path)
    )


def quoted(name: str) -> str:
    """Quote a name for messages: bounded, and nothing in it that is invisible or dangerous for a terminal."""
    return ascii(name) if len(name) <= 120 else ascii(f"{name[:80]}...{name[-30:]}")


@dataclass(slots=True)
class _Seen:
    path: tuple[str, ...]
    folder: bool
    explicit: bool


class UniqueNames:
    """Checks that no two names mean the same file, on any file system."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], _Seen] = {}

    def add(self, path: tuple[str, ...], *, folder: bool) -> None:
        """Add an entry, and the folders above it.

        Raises:
            AppError: ``zip-duplicate-name``: the same name again, one that differs only in case or in how its accents
                are written, or one that is a file here and a folder there.
        """
        key: tuple[str, ...] = ()
        for depth, part in enumerate(path, 1):
            key = (*key, _normalised(part))
            last = depth == len(path)
            self._note(key, _Seen(path[:depth], folder=folder or not last, explicit=last))

    def _note(self, key: tuple[str, ...], new: _Seen) -> None:
        old = self._seen.setdefault(key, new)
        if old is new:
            return
        name, other = "/".join(new.path), "/".join(old.path)
        if old.path != new.path:
            raise _duplicate(f"{quoted(other)} and {quoted(name)} differ only in case or in how accents are written")
        if old.folder != new.folder:
            raise _duplicate(f"{quoted(name)} is both a file and a folder")
        if not new.folder:
            raise _duplicate(f"{quoted(name)} is in the zip twice")


def _normalised(part: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold())


def _decode(info: zipfile.ZipInfo) -> str:
    """Return the name as it was meant: zips without the UTF-8 flag often are UTF-8 all the same (macOS)."""
    name = info.orig_filename
    if info.flag_bits & _UTF8_FLAG:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _refused_character(name: str) -> str | None:
    for character in name:
        if what := _REFUSED_CATEGORIES.get(unicodedata.category(character)):
            return f"contains {what} (U+{ord(character):04X})"
    return None


def _check_parts(name: str, parts: list[str], max_depth: int) -> None:
    if ".." in parts:
        raise _unsafe(name, "leads out of its folder")
    if "" in parts or "." in parts:
        raise _unsafe(name, "has an empty part or a '.' in it")
    if len(parts) > max_depth:
        raise _unsafe(name, f"is more than {max_depth} folders deep")
    if max(len(part.encode()) for part in parts) > _MAX_COMPONENT_BYTES or len(name.encode()) > _MAX_PATH_BYTES:
        raise _unsafe(name, "is too long")


def _unsafe(name: str, why: str) -> AppError:
    return AppError(
        Code.ZIP_UNSAFE_NAME,
        f"the name {quoted(name)} in the zip {why}",
        hint="Rename it, and zip from inside the app's folder: `zip -r app.zip .`.",
    )


def _duplicate(what: str) -> AppError:
    return AppError(Code.ZIP_DUPLICATE_NAME, what, hint="Remove or rename one of them and create the zip again.")
