"""What an app imports without declaring it, because zappa's own deployment brings it along for its command line."""

from __future__ import annotations

import re
from pathlib import Path

from builder.source.modules import modules

BROUGHT = {
    "argcomplete": "argcomplete", "dateutil": "python-dateutil", "hjson": "hjson", "placebo": "placebo",
    "pkg_resources": "setuptools<81", "requests": "requests", "setuptools": "setuptools", "slugify": "python-slugify",
    "toml": "toml", "tqdm": "tqdm", "troposphere": "troposphere", "yaml": "pyyaml",
}  # fmt: skip
"""Modules of zappa's requirements (its metadata, release 0.63.0), without those that its handler needs or Lambda has,
and the distributions that have them."""

_IMPORT = re.compile(rb"(?m)^[ \t]*(?:import|from)[ \t]+([a-z_]{1,20})\b")


def imported(root: Path) -> tuple[str, ...]:
    """Return the distributions of `BROUGHT` that code of the app imports and does not bring itself."""
    names = {match.decode() for path in modules(root) for match in _IMPORT.findall(path.read_bytes())}
    found = (name for name in BROUGHT if name in names and not _is_there(root, name))
    return tuple(dict.fromkeys(BROUGHT[name] for name in found))


def _is_there(root: Path, name: str) -> bool:
    return (root / name).is_dir() or (root / f"{name}.py").is_file()
