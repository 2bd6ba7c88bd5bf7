"""Read what shared objects in a folder need, without running any of them.

The files are untrusted: every loop over their tables is bounded, and a file that does not parse is unreadable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

BINARIES = "binaries.json"
"""The file beside a layer's tree that holds what `read_tree` found in it."""

_SHARED_OBJECT = re.compile(r"\.so(\.[\w.]{1,100})?$")
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "arm64", "EM_386": "i386", "EM_ARM": "32-bit arm"}
_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe")
_MAX_ENTRIES = 4096  # of any table: real ones have dozens
_MAX_NAME = 4096


@dataclass(frozen=True, slots=True)
class Binary:
    """One shared object.

    Attributes:
        path: below the folder that was read, with slashes.
        machine: ``x86_64``, ``arm64``, or another's name; ``macOS`` for binaries of that system,
            ``unreadable`` for broken ones.
        soname: its own name for the loader, else ``""``.
        needed: libraries that the loader must find for it.
        paths: where it asks the loader to look first (RUNPATH, else RPATH); ``$ORIGIN`` is its own folder.
        glibc: the newest C library symbols it asks for, as in ``(2, 34)``.
    """

    path: str
    machine: str
    soname: str
    needed: tuple[str, ...]
    paths: tuple[str, ...]
    glibc: tuple[int, int]


def read_tree(folder: Path) -> tuple[Binary, ...]:
    """Read all shared objects below a folder, sorted by path. Links are not followed."""
    return tuple(sorted(_binaries(folder), key=lambda binary: binary.path))


def _binaries(folder: Path) -> Iterator[Binary]:
    for path, _, names in os.walk(folder):
        for name in names:
            file = Path(path, name)
            if _SHARED_OBJECT.search(name) and not file.is_symlink() and file.is_file():
                binary = _read(file, file.relative_to(folder).as_posix())
                if binary:
                    yield binary


def _read(file: Path, path: str) -> Binary | None:
    with file.open("rb") as stream:
        magic = stream.read(4)
        if magic in _MACH_O:
            return Binary(path, "macOS", "", (), (), (0, 0))
        if magic != b"\x7fELF":
            return None  # a linker script, or only a name
        return parse(stream, path)


def parse(stream: BinaryIO, path: str) -> Binary:
    """Read a file that begins as a binary does; whatever is wrong with it only makes it ``unreadable``."""
    try:
        return _parse(stream, path)
    except Exception:  # noqa: BLE001 - an untrusted file may trip the parser anywhere
        return Binary(path, "unreadable", "", (), (), (0, 0))


class _Elf(ELFFile):
    """Parses each section once: pyelftools would for each question, and that takes longer than installing them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._parsed: dict[int, Any] = {}
        super().__init__(stream)

    def get_section(self, n: int, type: Any = None) -> Any:  # noqa: A002 - as pyelftools has it
        """Return the section of a number."""
        if type:
            return super().get_section(n, type)
        if n not in self._parsed:
            self._parsed[n] = super().get_section(n)
        return self._parsed[n]


def _parse(stream: BinaryIO, path: str) -> Binary:
    elf = _Elf(stream)
    if elf.num_sections() > _MAX_ENTRIES or elf.num_segments() > _MAX_ENTRIES:
        raise ValueError("no linker makes that many sections")
    tags: dict[str, list[str]] = {"DT_NEEDED": [], "DT_RPATH": [], "DT_RUNPATH": [], "DT_SONAME": []}
    dynamic: Any = next((one for one in elf.iter_segments() if one["p_type"] == "PT_DYNAMIC"), None)
    for tag in islice(dynamic.iter_tags() if dynamic else (), _MAX_ENTRIES):
        kind = tag.entry.d_tag
        if kind in tags:
            tags[kind].append(_checked_name(getattr(tag, kind.removeprefix("DT_").lower())))
    looked = tags["DT_RUNPATH"] or tags["DT_RPATH"]
    return Binary(
        path=path,
        machine=_MACHINES.get(elf["e_machine"], str(elf["e_machine"])),
        soname="".join(tags["DT_SONAME"][:1]),
        needed=tuple(tags["DT_NEEDED"]),
        paths=tuple(entry for one in looked for entry in one.split(":") if entry),
        glibc=max(_glibc(elf), default=(0, 0)),
    )


def _glibc(elf: Any) -> Iterator[tuple[int, int]]:
    section = next(elf.iter_sections("SHT_GNU_verneed"), None)
    if not isinstance(section, GNUVerNeedSection):
        return
    for _, versions in islice(section.iter_versions(), _MAX_ENTRIES):
        for version in islice(versions, _MAX_ENTRIES):
            if found := _GLIBC.fullmatch(_checked_name(version.name)):
                yield int(found[1]), int(found[2])


def _checked_name(text: str) -> str:
    if len(text) > _MAX_NAME:
        raise ValueError("no library has such a name")
    return text
