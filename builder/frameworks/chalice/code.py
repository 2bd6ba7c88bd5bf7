"""Copy those files of a chalice project that become the code zip, by chalice's own rule and without dependencies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from auto_lambda.errors import AppError, Code

PACKAGED = "app.py, chalicelib/ and vendor/"
"""In words; the content of ``vendor/`` goes to the top."""


def copy_code(root: Path, to: Path) -> Path:
    """Copy what chalice packages, without links, devices and compiled files.

    Returns:
        ``to``, which is made here.

    Raises:
        AppError: ``compile-failed`` without an ``app.py``.
    """
    if not _is_plain(root / "app.py"):
        raise AppError(
            Code.COMPILE_FAILED,
            "there is no app.py beside .chalice/",
            hint="chalice looks for the app in app.py of the project's folder: put it there.",
        )
    to.mkdir()
    # vendor/ first: where it repeats a file, the app's own is what its author edits.
    for folder, place in ((root / "vendor", to), (root / "chalicelib", to / "chalicelib")):
        for path in _plain_files(folder):
            _copy(path, place / path.relative_to(folder))
    _copy(root / "app.py", to / "app.py")
    return to


def _plain_files(folder: Path) -> Iterator[Path]:
    if folder.is_symlink():
        return
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(place, name)
            if _is_plain(path):
                yield path


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to, follow_symlinks=False)
