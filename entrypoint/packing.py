"""Packs the entrypoint as one zip."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("a2wsgi", "click", "h11", "uvicorn")
"""What is packed with it, each pinned by hash in the lock ``entrypoint``; all pure Python, for every version of it."""

_OURS = Path(__file__).parent
_NOT_SERVING = {"packing.py"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAIN = b"import runpy\n\nrunpy.run_module('entrypoint', run_name='__main__', alter_sys=True)\n"


@dataclass(frozen=True, slots=True)
class EntrypointZip:
    """The zip, and its name in the artifacts bucket."""

    content: bytes
    sha256: str

    @property
    def key(self) -> str:
        """Where the worker stores it."""
        return f"entrypoints/{self.sha256}.zip"


class NotPackable(ValueError):
    """A package is missing, or holds what another Python version could not run."""


def pack(site: Path) -> EntrypointZip:
    """Pack it: the same source and packages give the same bytes.

    ``python FILE.zip`` runs it as well.

    Args:
        site: the folder with the packages, of the tool environment ``entrypoint``.

    Raises:
        NotPackable: see there.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted([("__main__.py", _MAIN), *_own(), *_installed(site)]):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.external_attr = 0o100644 << 16
            member.create_system = 3
            archive.writestr(member, content, zipfile.ZIP_DEFLATED, 9)
    content = buffer.getvalue()
    return EntrypointZip(content, hashlib.sha256(content).hexdigest())


def _own() -> Iterator[tuple[str, bytes]]:
    for path in _OURS.rglob("*.py"):
        if path.name not in _NOT_SERVING:
            yield path.relative_to(_OURS.parent).as_posix(), path.read_bytes()


def _installed(site: Path) -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        if not (site / package / "__init__.py").is_file():
            raise NotPackable(f"{site} has no {package}")
        for path in (site / package).rglob("*"):
            if path.suffix in (".so", ".pyd"):
                raise NotPackable(f"{path} is compiled for one version of Python")
            if path.suffix == ".py":
                yield path.relative_to(site).as_posix(), path.read_bytes()
        for licence in site.glob(f"{package}-*.dist-info/**/LICENSE*"):
            yield licence.relative_to(site).as_posix(), licence.read_bytes()
