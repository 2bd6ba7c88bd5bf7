"""A layer that is there already, of some of a lock's packages: the lock's own layer can be made on it.

Then only what is new is installed, compiled and compressed. What comes out is, byte by byte, what is made from nothing:
where that is not certain, a layer has no base. A base holds no package that the lock has not, so whoever uses the new
layer relies on nobody whose package is not in the lock anyway.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from builder.dependencies.sdists import Pin


@dataclass(frozen=True)
class BaseLayer:
    """A layer's folder, and what it was made of.

    Attributes:
        zip: its zip.
        pins: the packages that it has.
        facts: as JSON, what the audit wants to know of its binaries.
    """

    zip: Path
    pins: frozenset[Pin]
    facts: str

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The bytes of each file, unzipped, by name."""
        with zipfile.ZipFile(self.zip) as archive:
            return {info.filename: info.file_size for info in archive.infolist()}

    @property
    def total(self) -> int:
        """The bytes of all files, unzipped."""
        return sum(self.sizes.values())

    @property
    def before_compiling(self) -> int:
        """The bytes without bytecode, and with as many again for bytecode as the modules have."""
        plain = {name: size for name, size in self.sizes.items() if not _is_bytecode(name)}
        return sum(plain.values()) + sum(size for name, size in plain.items() if name.endswith(".py"))

    def has_room_for(self, names: Iterable[str]) -> bool:
        """Tell whether files of these names, without empty folders, lie beside the base's and change none of them."""
        own, new = set(self.sizes), set(names)
        empty = any(name.endswith("/") for name in new)
        return not (empty or own & (new | _folders(new)) or new & _folders(own))


def read_base(zip_path: Path, meta: Path, facts: Path, pins: Iterable[Pin]) -> BaseLayer | None:
    """Return a base; None where it is spoiled, or not what the same packages would be in a larger layer.

    Without bytecode, for one, a layer may have been too large for it. Empty folders might not be empty in a larger one.

    Args:
        zip_path: the layer's zip.
        meta: says its hash.
        facts: of its binaries.
        pins: the packages that it has.
    """
    try:
        with zip_path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != json.loads(meta.read_text())["sha256"]:
            return None
        base = BaseLayer(zip_path, frozenset(pins), facts.read_text())
        names = base.sizes
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return base if any(map(_is_bytecode, names)) and not any(name.endswith("/") for name in names) else None


def _is_bytecode(name: str) -> bool:
    return "__pycache__" in PurePosixPath(name).parts


def _folders(names: Iterable[str]) -> set[str]:
    return {str(folder) for name in names for folder in PurePosixPath(name).parents}
