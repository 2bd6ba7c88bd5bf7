"""Check a zip's end record and the size and entry count of its directory before zipfile parses it.

zipfile trusts the end record and builds an object for every entry, so entries must be counted first.
Layouts: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.14-16 (ends).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from auto_lambda.errors import AppError, Code

_END_RECORD = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64_RECORD = struct.Struct("<4sQ2H2L4Q")
_CENTRAL_HEADER = struct.Struct("<4s24x3H12x")
_LOCAL_HEADER = struct.Struct("<4s22x2H")
_END_MAGIC, _END64_LOCATOR_MAGIC, _END64_MAGIC = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_CENTRAL_MAGIC, _LOCAL_MAGIC = b"PK\x01\x02", b"PK\x03\x04"
_MAX_COMMENT = 0xFFFF
_MAX_BYTES_PER_ENTRY = 2048

_KNOWN_MAGIC = {
    b"\x1f\x8b": "a gzip (.tar.gz) archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-zip archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ": "a Windows program",
    b"<": "a web page or XML",
    b"{": "JSON",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True, slots=True)
class CentralDirectory:
    """Position of the central directory: ``start`` and ``size`` in bytes, and its real number of entries."""

    start: int
    size: int
    entries: int


def find_central_directory(file: BinaryIO, max_entries: int) -> CentralDirectory:
    """Find and count the central directory.

    Raises:
        AppError: ``not-a-zip``; ``zip-too-many-files``; ``zip-corrupt`` for data before or after the archive, more than
            one disk, or a directory that isn't where or what the end record says.
    """
    length = file.seek(0, os.SEEK_END)
    end = _find_end(file, length)
    declared, size, start, tail = _read_end(file, end)
    if declared > max_entries or size > max_entries * _MAX_BYTES_PER_ENTRY:
        raise _too_many(declared, max_entries)
    if start + size != tail:
        raise corrupt("there is other data before the archive or inside it")
    file.seek(start)
    entries = _count(file.read(size), max_entries)
    if entries != declared:
        raise corrupt(f"it declares {declared} entries but lists {entries}")
    return CentralDirectory(start, size, entries)


def data_start(file: BinaryIO, header: int) -> int:
    """Return the offset of an entry's data, according to its local header.

    Raises:
        AppError: ``zip-corrupt``: there is no header.
    """
    file.seek(header)
    raw = file.read(_LOCAL_HEADER.size)
    if len(raw) < _LOCAL_HEADER.size or not raw.startswith(_LOCAL_MAGIC):
        raise corrupt("an entry points to a place where there is none")
    _, name, extra = _LOCAL_HEADER.unpack(raw)
    return header + _LOCAL_HEADER.size + int(name) + int(extra)


def corrupt(what: str) -> AppError:
    """Return the error for an archive that contradicts itself."""
    return AppError(
        Code.ZIP_CORRUPT,
        f"the zip is damaged: {what}",
        hint="Create the zip again, upload it again, and compare the sizes.",
    )


def _find_end(file: BinaryIO, length: int) -> int:
    """Return the offset of the end record: the last one in the file, as for zipfile, reaching the file's end."""
    base = max(0, length - _END_RECORD.size - _MAX_COMMENT)
    file.seek(base)
    tail = file.read()
    at = tail.rfind(_END_MAGIC)
    if at < 0:
        raise _not_a_zip(file, length)
    if len(tail) - at < _END_RECORD.size:
        raise corrupt("its end is cut off")
    comment = _END_RECORD.unpack_from(tail, at)[7]
    if at + _END_RECORD.size + comment != len(tail):
        raise corrupt("there is other data after the archive, or its end is cut off")
    return base + at


def _read_end(file: BinaryIO, end: int) -> tuple[int, int, int, int]:
    """Return the entry count, the directory's size and offset, and where the directory has to end."""
    file.seek(end)
    _, disk, directory_disk, here, total, size, start, _ = _END_RECORD.unpack(file.read(_END_RECORD.size))
    tail = end
    if found := _read_end64(file, end):
        disk, directory_disk, here, total, size, start = found
        tail = end - _END64_LOCATOR.size - _END64_RECORD.size
    if disk or directory_disk or here != total:
        raise AppError(
            Code.ZIP_CORRUPT,
            "the zip is one part of an archive in several parts",
            hint="Make one zip of a single file.",
        )
    return total, size, start, tail


def _read_end64(file: BinaryIO, end: int) -> tuple[int, int, int, int, int, int] | None:
    at = end - _END64_LOCATOR.size
    if at < 0:
        return None
    file.seek(at)
    magic, _, where, disks = _END64_LOCATOR.unpack(file.read(_END64_LOCATOR.size))
    if magic != _END64_LOCATOR_MAGIC:
        return None
    if disks > 1 or where != at - _END64_RECORD.size:
        raise corrupt("its zip64 end record is not where it should be")
    file.seek(where)
    magic, _, _, _, disk, directory_disk, here, total, size, start = _END64_RECORD.unpack(file.read(_END64_RECORD.size))
    if magic != _END64_MAGIC:
        raise corrupt("its zip64 end record is not valid")
    return disk, directory_disk, here, total, size, start


def _count(raw: bytes, max_entries: int) -> int:
    at = count = 0
    while at < len(raw):
        if len(raw) - at < _CENTRAL_HEADER.size or not raw.startswith(_CENTRAL_MAGIC, at):
            raise corrupt("its directory is not a list of entries")
        _, name, extra, comment = _CENTRAL_HEADER.unpack_from(raw, at)
        at += _CENTRAL_HEADER.size + name + extra + comment
        count += 1
        if count > max_entries:
            raise _too_many(count, max_entries)
    if at != len(raw):
        raise corrupt("its directory is cut off")
    return count


def _too_many(count: int, most: int) -> AppError:
    return AppError(
        Code.ZIP_TOO_MANY_FILES,
        f"the zip lists {count:,} entries or more; at most {most:,} are allowed",
        hint="Leave .git, virtual environments, node_modules and caches out of the zip.",
    )


def _not_a_zip(file: BinaryIO, length: int) -> AppError:
    file.seek(0)
    start = file.read(16)
    if start.startswith(_LOCAL_MAGIC):
        return corrupt("its end is missing, so the upload was probably cut off")
    what = "it is empty, 0 bytes long" if not length else "it has no zip directory"
    for magic, name in _KNOWN_MAGIC.items():
        if start.startswith(magic):
            what = f"it looks like {name}"
    return AppError(
        Code.NOT_A_ZIP, f"the file is not a zip: {what}", hint="Make it with `zip -r app.zip .` in the app's folder."
    )
