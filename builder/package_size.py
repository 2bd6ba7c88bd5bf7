"""The size of a function's package, against Lambda's quota."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from auto_lambda.errors import AppError, Code
from builder.model import Built

MEGABYTE = 1024 * 1024
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: function and layers together, unzipped
MAX_UNZIPPED = 250 * MEGABYTE


def check_package_size(code: Path, built: Built) -> None:
    """See that code and layer together fit.

    Raises:
        AppError: ``package-too-large``, with the largest parts named.
    """
    code_bytes = sum(_file_sizes(code))
    layer_bytes = built.layer.tree_bytes if built.layer else 0
    if code_bytes + layer_bytes <= MAX_UNZIPPED:
        return
    largest = ", ".join(f"{name} {_mb(size)}" for name, size in _largest(code, built.site))
    raise AppError(
        Code.PACKAGE_TOO_LARGE,
        f"The function would unzip to {_mb(code_bytes + layer_bytes)}: {_mb(code_bytes)} of code and "
        f"{_mb(layer_bytes)} of dependencies. Lambda takes 250 MB. Largest: {largest}.",
        hint="Drop what the app does not need at run time, or fetch large data from a bucket at start.",
    )


def _mb(size: int) -> str:
    return f"{size / MEGABYTE:.0f} MB"


def _largest(code: Path, site: Path | None, count: int = 5) -> list[tuple[str, int]]:
    entries = [entry for folder in (code, site) if folder for entry in folder.iterdir()]
    sizes = [(entry.name, sum(_file_sizes(entry))) for entry in entries]
    return sorted(sizes, key=lambda item: (-item[1], item[0]))[:count]


def _file_sizes(path: Path) -> Iterator[int]:
    paths = path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,)
    return (file.lstat().st_size for file in paths if file.is_symlink() or file.is_file())
