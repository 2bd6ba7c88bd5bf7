"""Leave out of installed dependencies what is of no use on Lambda: tests, documentation, type stubs, symbols.

What is left out is measured by the same rules, so that an error can say beforehand what it would come to. That the app
does without, the proof shows.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from elftools.elf.elffile import ELFFile

Kind = Literal["tests", "docs", "stubs", "symbols"]

_TESTS, _DOCS, _STUB = "tests", ("doc", "docs"), ".pyi"
_CODE = (".py", ".pyc", ".so")
_LIBRARY = ".so"  # also as in libx.so.1
_SECTIONS = ((40, "<Q"), (60, "<H"), (62, "<H"))  # e_shoff, e_shnum, e_shstrndx of an ELF header of 64 bits
_MOST_SECTIONS = 4096
_PADDING = 64  # bytes after the last section


@dataclass(frozen=True, slots=True)
class Savings:
    """Bytes by what they belong to. ``stubs`` are ``.pyi`` files, ``symbols`` names and debugging data in libraries."""

    tests: int = 0
    docs: int = 0
    stubs: int = 0
    symbols: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.tests + self.docs + self.stubs + self.symbols

    def __str__(self) -> str:
        names = {"tests": "tests", "docs": "documentation", "stubs": ".pyi files", "symbols": "symbols of libraries"}
        said = {names[one.name]: getattr(self, one.name) / 1024**2 for one in fields(self)}
        return ", ".join(f"{name} ({size:.1f} MB)" for name, size in said.items() if size) or "nothing"


def measure(site: Path) -> Savings:
    """Return what `slim` would leave out, without changing anything."""
    return _each(site, lambda _path, _end: None)


def slim(site: Path) -> Savings:
    """Leave it out. Files may be hard links into a cache, so that they are replaced, never written to."""

    def leave_out(path: Path, end: int | None) -> None:
        if end is None:
            path.unlink()
            _drop_emptied(path.parent, site)
        else:
            _shorten(path, end)

    return _each(site, leave_out)


def loaded_bytes(path: Path) -> int | None:
    """Return how many bytes of a shared object are ever loaded, None if the rest is not only sections.

    What lies behind the last segment is symbols and debugging data, as `strip` would remove them, and the table of
    sections, which the loader does not read. Only the end is cut off, so that nothing that is loaded moves.
    """
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            if elf.elfclass != 64 or not elf.little_endian or elf.num_sections() > _MOST_SECTIONS:
                return None
            header = elf.header
            table = header["e_phoff"] + header["e_phnum"] * header["e_phentsize"]
            end = max([table, *(one["p_offset"] + one["p_filesz"] for one in elf.iter_segments())])
            ends = [one["sh_offset"] + one["sh_size"] for one in elf.iter_sections() if one["sh_type"] != "SHT_NOBITS"]
            last = max([header["e_shoff"] + header["e_shnum"] * header["e_shentsize"], *ends])
            return end if end < path.stat().st_size <= last + _PADDING else None
    except Exception:  # noqa: BLE001 - an untrusted file may trip the parser anywhere
        return None


def _each(site: Path, leave_out: Callable[[Path, int | None], None]) -> Savings:
    found: dict[Kind, int] = {}
    for path, kind, end in list(_unused(site)):
        found[kind] = found.get(kind, 0) + path.lstat().st_size - (end or 0)
        leave_out(path, end)
    return Savings(**found)


def _unused(site: Path) -> Iterator[tuple[Path, Kind, int | None]]:
    """Yield files that are of no use, or whose bytes after a certain one are not."""
    for folder, names, files in os.walk(site):
        for name in [one for one in names if one == _TESTS or (one in _DOCS and not _holds_code(Path(folder, one)))]:
            names.remove(name)
            kind: Kind = "tests" if name == _TESTS else "docs"
            yield from ((file, kind, None) for file in Path(folder, name).rglob("*") if file.is_file())
        for path in (Path(folder, name) for name in files):
            if path.suffix == _STUB:
                yield path, "stubs", None
            elif _LIBRARY in path.suffixes and (end := loaded_bytes(path)) is not None:
                yield path, "symbols", end


def _holds_code(folder: Path) -> bool:
    """Return whether a folder may be imported from: botocore.docs is a package."""
    return any(path.suffix in _CODE for path in folder.rglob("*"))


def _drop_emptied(folder: Path, site: Path) -> None:
    while folder != site and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _shorten(path: Path, end: int) -> None:
    with path.open("rb") as file:
        data = bytearray(file.read(end))
    for at, form in _SECTIONS:
        struct.pack_into(form, data, at, 0)
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)
