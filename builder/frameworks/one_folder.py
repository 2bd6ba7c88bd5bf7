"""Join packages that the app and its dependencies both bring, as in the one folder that the frameworks deploy.

On Lambda the code and the layer are two folders, of which the first with a package's ``__init__.py`` hides the other.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_INIT = "__init__.py"


def join_packages(code: Path, site: Path | None, written: Path | None = None) -> None:
    """Make both halves of each package importable that is in the code and in the layer.

    A namespace (no ``__init__.py`` in either half) spans both folders by itself. Of another package, the code gets
    what it lacks; where both have a file, the app's own counts.

    Args:
        code: the folder that becomes the code zip.
        site: the layer's packages.
        written: the app's files as its author wrote them; an ``__init__.py`` that is not in there was added by a tool.
    """
    for folder in _folders(code) if site else ():
        assert site is not None  # noqa: S101 - for the type checker
        if _is_folder(site / folder.name):
            _join(folder, site / folder.name, written / folder.name if written else None)


def _join(mine: Path, theirs: Path, written: Path | None) -> None:
    init = mine / _INIT
    added = written is not None and init.is_file() and not (written / _INIT).is_file()
    if (init.is_file() and not added) or (theirs / _INIT).is_file():
        if added:
            init.unlink()
        _fill(mine, theirs)
        return
    init.unlink(missing_ok=True)
    for folder in _folders(mine):
        if _is_folder(theirs / folder.name):
            _join(folder, theirs / folder.name, written / folder.name if written else None)


def _fill(mine: Path, theirs: Path) -> None:
    """Copy what is missing; links are not followed."""
    for place, folders, names in os.walk(theirs):
        to = mine / Path(place).relative_to(theirs)
        folders[:] = [name for name in folders if name != "__pycache__" and not (to / name).is_file()]
        for name in names:
            source = Path(place, name)
            if not os.path.lexists(to / name) and not source.is_symlink() and source.is_file():
                to.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, to / name)


def _folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if _is_folder(path)]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
