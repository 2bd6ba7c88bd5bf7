"""Read zips strictly: accept what ordinary tools make, refuse the rest before or while bytes are written.

The archive as a whole is checked first; then the files are written, and bytes are counted as they come out of the
decompressor, whatever the archive declares.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auto_lambda.errors import AppError, Code
from builder.source import zip_directory
from builder.source.left_out import VirtualEnvironments
from builder.source.zip_names import UniqueNames, entry_path, is_junk, quoted

_CHUNK = 256 * 1024
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """Bounds of one archive.

    Attributes:
        entries: files and folders.
        total_bytes: of all files, unpacked.
        ratio: unpacked to packed bytes, of the whole archive, once it unpacks to more than ``ratio_from`` bytes.
        depth: folders within folders.
    """

    entries: int = 20_000
    total_bytes: int = 512 * _MEGABYTE
    ratio: int = 100
    ratio_from: int = 32 * _MEGABYTE
    depth: int = 40


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry to write."""

    info: zipfile.ZipInfo
    path: tuple[str, ...]
    folder: bool

    @property
    def mode(self) -> int:
        """Mode of a file: readable by all, executable if it was for anyone; no set-id bits, not writable by others."""
        return 0o755 if (self.info.external_attr >> 16) & 0o111 else 0o644


def unpack(zip_path: Path, into: Path, limits: ZipLimits = ZipLimits()) -> tuple[str, ...]:
    """Unpack an upload's zip into a new folder, without what macOS adds and without virtual environments.

    Args:
        zip_path: the archive.
        into: made here; must not exist, or be empty. After an error it holds what was written until then.
        limits: bounds.

    Returns:
        Warnings about what was left out.

    Raises:
        AppError: one of the ``zip-*`` codes or ``not-a-zip``; the message names the entry.
    """
    with zip_path.open("rb") as file:
        return unpack_file(file, into, limits)


def unpack_file(file: BinaryIO, into: Path, limits: ZipLimits = ZipLimits()) -> tuple[str, ...]:
    """Unpack a zip that is open already; see `unpack`."""
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise FileExistsError(errno.EEXIST, "the folder to unpack into is not empty", str(into))
    directory = zip_directory.find_central_directory(file, limits.entries)
    with _zip_errors("its directory"):
        archive = zipfile.ZipFile(file)
    with archive:
        _check_overlap(file, archive.infolist(), directory)
        paths = [(info, entry_path(info, limits.depth)) for info in archive.infolist()]
        environments = VirtualEnvironments(path for _, path in paths if path)
        infos = [(info, path) for info, path in paths if not environments.holds(path)]
        _check_contents([info for info, _ in infos], directory, limits)
        _write_all(archive, _entries(infos), into, limits)
    return environments.warnings


def _check_contents(infos: list[zipfile.ZipInfo], directory: zip_directory.CentralDirectory, limits: ZipLimits) -> None:
    for info in infos:
        _check_kind(info)
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        raise _too_large(total, limits)
    if total > limits.ratio_from and total > limits.ratio * directory.start:
        raise AppError(
            Code.ZIP_BOMB,
            f"the zip's {directory.start:,} bytes unpack to {total:,}, more than {limits.ratio} times as much",
            hint="Leave large empty or repetitive data files out of the zip.",
        )


def _check_kind(info: zipfile.ZipInfo) -> None:
    name = quoted(info.orig_filename)
    if info.flag_bits & _ENCRYPTED_FLAGS:
        raise AppError(Code.ZIP_ENCRYPTED, f"{name} is encrypted", hint="Make the zip without a password.")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise AppError(
            Code.ZIP_LINK,
            f"{name} is a link or a device, not a file",
            hint="Zip the files themselves: `zip -r` without -y follows links.",
        )
    if info.compress_type not in _METHODS:
        raise AppError(
            Code.ZIP_METHOD,
            f"{name} is compressed by method {info.compress_type}; only stored and deflate are taken",
            hint="Make the zip with the ordinary compression (deflate).",
        )


def _check_overlap(file: BinaryIO, infos: list[zipfile.ZipInfo], directory: zip_directory.CentralDirectory) -> None:
    """Check that every entry has bytes of its own, from the file's first byte to the directory."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset >= directory.start:
            raise zip_directory.corrupt(f"{quoted(info.orig_filename)} lies behind the directory")
        if info.header_offset < end:
            raise AppError(
                Code.ZIP_BOMB,
                f"{quoted(info.orig_filename)} shares its bytes with another entry",
                hint="Make the zip anew with an ordinary tool.",
            )
        if not end and info.header_offset:
            raise zip_directory.corrupt("there is other data before the archive")
        end = zip_directory.data_start(file, info.header_offset) + info.compress_size
    if end > directory.start:
        raise zip_directory.corrupt("an entry reaches into its directory")


def _entries(infos: list[tuple[zipfile.ZipInfo, tuple[str, ...]]]) -> list[_Entry]:
    names = UniqueNames()
    entries: list[_Entry] = []
    beside = {path[:depth] for _, path in infos for depth in range(1, len(path) + 1)}
    for info, path in infos:
        if not path or is_junk(path, beside):
            continue
        folder = info.orig_filename.endswith(("/", "\\")) or stat.S_ISDIR(info.external_attr >> 16)
        if folder and info.file_size:
            raise zip_directory.corrupt(f"the folder {quoted(info.orig_filename)} has content")
        names.add(path, folder=folder)
        entries.append(_Entry(info, path, folder))
    if all(entry.folder for entry in entries):
        raise AppError(Code.ZIP_EMPTY, "there is no file in the zip", hint="Zip the app's folder and drop it again.")
    return entries


def _write_all(archive: zipfile.ZipFile, entries: list[_Entry], into: Path, limits: ZipLimits) -> None:
    left = limits.total_bytes
    for entry in entries:
        target = into.joinpath(*entry.path)
        (target if entry.folder else target.parent).mkdir(mode=0o755, parents=True, exist_ok=True)
        if not entry.folder:
            left -= _write(archive, entry, target, left, limits)


def _write(archive: zipfile.ZipFile, entry: _Entry, target: Path, left: int, limits: ZipLimits) -> int:
    """Write one file; return its size."""
    size = 0
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        for chunk in _chunks(archive, entry.info):
            size += len(chunk)
            if size > left:
                raise _too_large(limits.total_bytes + size - left, limits)
            file.write(chunk)
        os.fchmod(fd, entry.mode)
    if size != entry.info.file_size:
        raise zip_directory.corrupt(f"{quoted(entry.info.orig_filename)} is shorter than declared")
    return size


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    name = quoted(info.orig_filename)
    with _zip_errors(name):
        source = archive.open(info)
    with source:
        while True:
            with _zip_errors(name):
                chunk = source.read(_CHUNK)
            if not chunk:
                return
            yield chunk


@contextmanager
def _zip_errors(what: str) -> Iterator[None]:
    """Turn all that zipfile and zlib raise for a bad archive into one error. Errors of the disk pass through."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _unreadable(what, error) from error
    except (
        zipfile.BadZipFile, zlib.error, EOFError, struct.error, RuntimeError, ValueError, OverflowError, LookupError,
    ) as error:  # fmt: skip
        raise _unreadable(what, error) from error


def _unreadable(what: str, error: Exception) -> AppError:
    return zip_directory.corrupt(f"{what} can't be read ({quoted(str(error) or type(error).__name__)})")


def _too_large(total: int, limits: ZipLimits) -> AppError:
    return AppError(
        Code.ZIP_TOO_LARGE,
        f"the zip unpacks to {total / _MEGABYTE:,.0f} MB; at most {limits.total_bytes // _MEGABYTE} MB are allowed",
        hint="Leave data, virtual environments and build output out of the zip.",
    )
