"""What an app imports without declaring it, because zappa's own deployment brings it along for its command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

BROUGHT = {
    "argcomplete": "argcomplete", "dateutil": "python-dateutil", "hjson": "hjson", "placebo": "placebo",
    "pkg_resources": "setuptools<81", "requests": "requests", "setuptools": "setuptools", "slugify": "python-slugify",
    "toml": "toml", "tqdm": "tqdm", "troposphere": "troposphere", "yaml": "pyyaml",
}  # fmt: skip
"""Modules of zappa's requirements (its metadata, release 0.63.0), without those that its handler needs or Lambda has,
and the distributions that have them."""

_IMPORT = re.compile(rb"(?m)^[ \t]*(?:import|from)[ \t]+([a-z_]{1,20})\b")
_NOT_ON_LAMBDA = ("setup.py", "conftest.py")
_MOST_FILES = 2000
_MOST_BYTES = 1_000_000


def imported(root: Path) -> tuple[str, ...]:
    """Return the distributions of `BROUGHT` that code of the app imports and does not bring itself."""
    names = {match.decode() for path in _modules(root) for match in _IMPORT.findall(path.read_bytes())}
    found = (name for name in BROUGHT if name in names and not _is_there(root, name))
    return tuple(dict.fromkeys(BROUGHT[name] for name in found))


def _is_there(root: Path, name: str) -> bool:
    return (root / name).is_dir() or (root / f"{name}.py").is_file()


def _modules(root: Path) -> Iterator[Path]:
    """Yield plain, not too large modules of the app, without those of virtual environments, tests and builds."""
    count = 0
    for place, folders, names in os.walk(root):
        here = Path(place)
        folders[:] = sorted(one for one in folders if one not in ("tests", "node_modules") and not _is_venv(here / one))
        for name in sorted(one for one in names if one.endswith(".py") and one not in _NOT_ON_LAMBDA):
            path = here / name
            if count < _MOST_FILES and not path.is_symlink() and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                count += 1
                yield path


def _is_venv(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file() or folder.name == "site-packages"
