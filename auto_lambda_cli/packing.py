"""Zip an app's folder: the same files always give the same bytes."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path

from auto_lambda_cli.selection import LinkToFolder, Selection, select

_EPOCH = (1980, 1, 1, 0, 0, 0)


class CannotPack(ValueError):
    """The folder cannot be zipped; the message says why and what to do."""


def zip_folder(folder: Path, to: Path, include: Sequence[str] = ()) -> Selection:
    """Zip an app's folder, without what is not part of the app (see `selection`).

    A symbolic link to a file is packed as that file; a link to a folder is refused.

    Args:
        folder: its contents become the root of the zip.
        to: the zip; should lie outside the folder.
        include: patterns of what to pack in any case.

    Returns:
        What is in the zip, and what has been left out.

    Raises:
        CannotPack: there is nothing to pack, or something in it is neither a file nor a folder.
    """
    try:
        selection = select(folder, include)
    except LinkToFolder as error:
        raise CannotPack(str(error)) from None
    except OSError as error:
        raise CannotPack(f"{error.filename}: {error.strerror}") from error
    if not selection.files:
        raise CannotPack(f"{folder} contains nothing to deploy")
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in selection.files:
            _add(archive, folder / name, name)
    return selection


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
