"""Zip an app's folder: the same files always give the same bytes."""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

# Not part of the app: version control, environments, caches, editors' own files.
LEFT_OUT = (
    ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules",
    "__pycache__", "*.pyc", "*.pyo", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".coverage",
    "*.egg-info", ".idea", ".vscode", ".DS_Store", ".auto-lambda", "Thumbs.db",
)  # fmt: skip
# Written by `chalice deploy`; by path, because the settings are in the same folder.
LEFT_OUT_PATHS = (".chalice/deployed", ".chalice/deployments", ".chalice/venv")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class CannotPack(ValueError):
    """The folder cannot be zipped; the message says why and what to do."""


def zip_folder(folder: Path, to: Path) -> int:
    """Zip an app's folder, without what is not part of the app (`LEFT_OUT`, and any virtual environment).

    A symbolic link to a file is packed as that file; a link to a folder is refused.

    Args:
        folder: its contents become the root of the zip.
        to: the zip; should lie outside the folder.

    Returns:
        The number of files in the zip.

    Raises:
        CannotPack: there is nothing to pack, or something in it is neither a file nor a folder.
    """
    names = sorted(_names(folder))
    if not names:
        raise CannotPack(f"{folder} contains nothing to deploy")
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            _add(archive, folder / name, name)
    return len(names)


def _names(folder: Path) -> Iterator[str]:
    for here, folders, files in os.walk(folder, onerror=_refuse):
        relative = Path(here).relative_to(folder)
        folders[:] = [name for name in folders if not _left_out(folder, relative / name)]
        for name in folders:
            if Path(here, name).is_symlink():
                raise CannotPack(f"{relative / name} is a link to a folder: replace it by the folder itself")
        yield from ((relative / name).as_posix() for name in files if not _left_out(folder, relative / name))


def _left_out(folder: Path, path: Path) -> bool:
    if any(fnmatch.fnmatchcase(path.name, pattern) for pattern in LEFT_OUT) or path.as_posix() in LEFT_OUT_PATHS:
        return True
    return (folder / path / "pyvenv.cfg").exists()


def _refuse(error: OSError) -> None:
    raise CannotPack(f"{error.filename}: {error.strerror}") from error


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise CannotPack(f"{name} is neither a file nor a folder: remove it")
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.create_system = 3  # Unix, so that the mode counts
        entry.external_attr = (stat.S_IFREG | (0o755 if info.st_mode & stat.S_IXUSR else 0o644)) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.file_size = info.st_size
        with path.open("rb") as file, archive.open(entry, "w") as target:
            shutil.copyfileobj(file, target)
    except OSError as error:
        raise CannotPack(f"{name}: {error.strerror}") from error
