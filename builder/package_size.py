"""The size of a function's package, against Lambda's quota."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from builder.dependencies.size.quota import MAX_BYTES, installed_sizes, megabytes, named, too_large
from builder.dependencies.size.slim import measure
from builder.model import Built


def check_package_size(code: Path, built: Built) -> None:
    """See that code and layer together fit.

    Raises:
        AppError: ``package-too-large``, with the largest parts named, and with what could be left out.
    """
    code_bytes = sum(_file_sizes(code))
    layer_bytes = built.layer.tree_bytes if built.layer else 0
    total = code_bytes + layer_bytes
    if total <= MAX_BYTES:
        return
    sizes = {entry.name: sum(_file_sizes(entry)) for entry in code.iterdir()}
    sizes |= installed_sizes(built.site) if built.site else {}
    raise too_large(
        f"The function would unzip to {megabytes(total)}: {megabytes(code_bytes)} of code and "
        f"{megabytes(layer_bytes)} of dependencies. Lambda takes {megabytes(MAX_BYTES)}. Largest: {named(sizes)}.",
        total, measure(built.site) if built.site and not built.source.options.package.slim else None,
    )  # fmt: skip


def _file_sizes(path: Path) -> Iterator[int]:
    paths = path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,)
    return (file.lstat().st_size for file in paths if file.is_symlink() or file.is_file())
