"""Copy an app's files without links, devices and compiled files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def plain_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder, none if it is a link."""
    if folder.is_symlink():
        return
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(place, name)
            if is_plain(path):
                yield path


def is_plain(path: Path) -> bool:
    """Return whether a path is a regular file, not a link."""
    return path.is_file() and not path.is_symlink()


def copy_file(path: Path, to: Path) -> None:
    """Copy a file with its mode; folders are made."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to, follow_symlinks=False)
