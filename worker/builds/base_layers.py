"""Layers on which another one can be made, since they have some of its packages and no others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from builder.protocol import tree_files

_MOST_BYTES = 400 * 1024 * 1024  # of a layer's tree; Lambda takes 250 MB


def candidates(found: Iterable[Path], wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the inputs of layers on which the wanted one can be made, those with the most packages first.

    Args:
        found: files with the inputs of layers.
        wanted: inputs of the layer that is to be made.
    """
    read = [inputs for path in found if (inputs := _read(path)) and _is_part(inputs, wanted)]
    return sorted(read, key=lambda inputs: -len(inputs["pins"]))


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _is_part(smaller: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a layer has some of the wanted packages, each from the same files, and is alike in all else."""
    try:
        others = {*smaller, *wanted} - {"pins", "unwheeled"}
        names = {canonicalize_name(one.partition("==")[0].partition("[")[0]) for one, _ in smaller["pins"]}
        return (
            all(smaller.get(name) == wanted.get(name) for name in others)
            and not wanted.get("slim")  # what that leaves out may depend on all of a layer
            and all(pin in wanted["pins"] for pin in smaller["pins"])
            and len(smaller["pins"]) < len(wanted["pins"])
            and smaller["unwheeled"] == {name: one for name, one in wanted["unwheeled"].items() if name in names}
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def link_tree(base: Path, into: Path) -> None:
    """Put the files of a base's tree beside those of another: links, as nobody ever writes to either.

    Raises:
        BadTree: one of them is in both, together they are more than a layer has, or the base is gone.
    """
    count = sum(len(folders) + len(names) for _, folders, names in os.walk(into))
    size = sum(path.lstat().st_size for path in into.rglob("*") if path.is_file())
    for folder, folders, names in os.walk(base, onerror=_gone):
        here = into / Path(folder).relative_to(base)
        count += len(folders) + len(names)
        try:
            here.mkdir(mode=0o755, exist_ok=True)
            for name in names:
                size += os.lstat(f"{folder}/{name}").st_size
                os.link(f"{folder}/{name}", f"{here}/{name}")
        except (FileExistsError, NotADirectoryError):
            raise tree_files.BadTree("it has files that its base has, too") from None
        except FileNotFoundError as error:
            _gone(error)
        if count > tree_files.MAX_FILES or size > _MOST_BYTES:
            raise tree_files.BadTree("with its base, it is more than a layer has")
        here.chmod(0o755)


def _gone(error: OSError) -> None:
    """Fail where a base was evicted in the meantime: without its files, the layer would be kept as if it were whole."""
    raise tree_files.BadTree(f"its base is gone: {error}") from None
