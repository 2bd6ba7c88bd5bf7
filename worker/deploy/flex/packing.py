"""Pack the program of tasks: the package ``entrypoint`` of this installation."""

from __future__ import annotations

import zipfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path


def pack_entrypoint(folder: Path) -> Path:
    """Write the program into a folder, equal byte by byte for equal sources, and return its zip."""
    path = folder / "entrypoint.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, resources.files("entrypoint"), "entrypoint")
    return path


def _add(archive: zipfile.ZipFile, folder: Traversable, name: str) -> None:
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir() and one.name != "__pycache__":
            _add(archive, one, f"{name}/{one.name}")
        elif one.is_file() and not one.name.endswith(".pyc"):
            archive.writestr(zipfile.ZipInfo(f"{name}/{one.name}"), one.read_bytes())
