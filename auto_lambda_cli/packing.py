"""A folder with an app in it, made into the zip to drop: the same files always give the same bytes."""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

# What lies in a working folder but is no part of the app: version control, environments, caches, editors' own files.
LEFT_OUT = (
    ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules",
    "__pycache__", "*.pyc", "*.pyo", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".coverage",
    "*.egg-info", ".idea", ".vscode", ".DS_Store", ".auto-lambda", "Thumbs.db",
)  # fmt: skip
# What `chalice deploy` leaves beside the settings; by path, because the settings lie there too.
LEFT_OUT_PATHS = (".chalice/deployed", ".chalice/deployments", ".chalice/venv")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class CannotPack(ValueError):
    """The folder cannot be made into a zip; the message says why and what to do."""


def zip_folder(folder: Path, to: Path) -> int:
    """Zip an app's folder, less what is no part of the app (`LEFT_OUT`, and any virtual environment).

    A link to a file is packed as that file; a link to a folder is refused.

    Args:
        folder: its content becomes the root of the zip.
        to: the zip; should lie outside the folder.

    Returns:
        How many files are in it.

    Raises:
        CannotPack: nothing is left to pack, or something in it is neither a file nor a folder.
    """
    names = sorted(_names(folder))
    if not names:
        raise CannotPack(f"{folder} holds nothing to deploy")
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
                raise CannotPack(f"{relative / name} is a link to a folder: put the folder itself there")
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
            raise CannotPack(f"{name} is neither a file nor a folder: take it away")
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.create_system = 3  # Unix, so that the mode counts
        entry.external_attr = (stat.S_IFREG | (0o755 if info.st_mode & stat.S_IXUSR else 0o644)) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.file_size = info.st_size
        with path.open("rb") as file, archive.open(entry, "w") as target:
            shutil.copyfileobj(file, target)
    except OSError as error:
        raise CannotPack(f"{name}: {error.strerror}") from error
