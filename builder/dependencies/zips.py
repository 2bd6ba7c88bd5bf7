"""Make deterministic zips: the same tree gives the same bytes, wherever and whenever it is zipped."""

from __future__ import annotations

import errno
import hashlib
import heapq
import os
import stat
import struct
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import deflate

_EPOCH = (1980, 1, 1, 0, 0, 0)
# The batch of a thread: for a single small file, handing it over would be most of the work.
_BATCH_FILES, _BATCH_BYTES = 32, 1_000_000
_CORES = len(os.sched_getaffinity(0))
# Batches that are compressed, or being compressed, while one is written: bounds what is held in memory.
_MAX_PENDING = _CORES + 1
# Of libdeflate: a 163 MB tree takes 0.8 s and 61 MB, zlib's level 1 takes 1.7 s for 63 MB, libdeflate's 6 takes 2.0 s
# for 57 MB. Lambda's limit counts the unzipped size.
_LEVEL = 1
_LENGTHS = "<26xHH"  # those of the name and of the extra field, in a member's local header

# Errors that the tree itself causes; a full disk, for one, is not among them.
_TREE_ERRORS = {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG}


class UnsafeTree(ValueError):
    """The tree holds a link, a special file, or something that cannot be read or named; the message names it."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of a zip, with its data as they stand in there, compressed."""

    info: zipfile.ZipInfo
    data: bytes | bytearray


def write_zip(tree: Path, to: Path, more: Iterable[ZipMember] = ()) -> str:
    """Zip the content of a folder: sorted names, 1980 dates, modes 0644 and 0755 (a file its owner may execute).

    Empty folders are kept. ``to`` must lie outside ``tree`` and is replaced. ``more`` are members of another zip, in
    their order, none of which is in the folder: what comes out is the zip of both.

    Returns:
        The SHA-256 of the zip, in hex.

    Raises:
        UnsafeTree: something in it is neither a file nor a folder, or cannot be read or named. Links are refused, not
            followed: a link from an untrusted build could point at any file of this machine.
    """
    with to.open("w+b") as file:
        with zipfile.ZipFile(file, "w") as archive:
            members = _members(tree, sorted(names_in(tree)))
            for member in heapq.merge(members, more, key=lambda one: one.info.filename):
                _append(archive, file, member)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_plain(tree: Path) -> None:
    """Check that a tree from an untrusted build holds regular files and folders only.

    Raises:
        UnsafeTree: it does not.
    """
    for name in names_in(tree):
        with _as_unsafe_tree(name):
            if not name.endswith("/") and not stat.S_ISREG(os.lstat(f"{tree}/{name}").st_mode):
                raise UnsafeTree(f"{name} is not a plain file")


def members_of(path: Path) -> Iterator[ZipMember]:
    """Yield the members of a zip that `write_zip` has written, compressed as they are, in their order."""
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        for told in archive.infolist():
            info = _zip_info(told.filename, told.external_attr >> 16)
            info.CRC, info.file_size, info.compress_size = told.CRC, told.file_size, told.compress_size
            file.seek(told.header_offset)
            name, extra = struct.unpack(_LENGTHS, file.read(struct.calcsize(_LENGTHS)))
            file.seek(name + extra, os.SEEK_CUR)
            yield ZipMember(info, file.read(told.compress_size))


def names_in(tree: Path) -> Iterator[str]:
    """Yield the names that the members of a folder's zip have, in any order.

    Raises:
        UnsafeTree: see `write_zip`.
    """
    try:
        for folder, folders, files in os.walk(tree, onerror=_raise):
            yield from _names_in(Path(folder), Path(folder).relative_to(tree), folders, files)
    except RecursionError:  # on Python 3.11
        raise UnsafeTree("its folders are nested too deeply") from None


def _names_in(folder: Path, relative: Path, folders: list[str], files: list[str]) -> Iterator[str]:
    for name in (*folders, *files):
        if not _is_utf8(name):
            raise UnsafeTree(f"{(relative / name).as_posix()!a} has a name that is not UTF-8")
    for name in folders:
        with _as_unsafe_tree(name):
            if stat.S_ISLNK(os.lstat(f"{folder}/{name}").st_mode):
                raise UnsafeTree(f"{relative / name} is a link")
    below = f"{relative.as_posix()}/" if relative.parts else ""
    yield from (below + name for name in files)
    if not folders and not files and relative.parts:
        yield relative.as_posix() + "/"


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _raise(error: OSError) -> None:
    with _as_unsafe_tree(Path(error.filename).name):
        raise error


@contextmanager
def _as_unsafe_tree(name: str) -> Iterator[None]:
    """Turn errors that the tree's maker is responsible for into `UnsafeTree`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _TREE_ERRORS:
            raise
        raise UnsafeTree(f"{name[-200:]} cannot be read: {error.strerror}") from None


def _zip_info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # Unix, so that the mode counts
    info.CRC = 0
    info.external_attr = mode << 16 | (0x10 if stat.S_ISDIR(mode) else 0)
    info.compress_type = zipfile.ZIP_STORED if stat.S_ISDIR(mode) else zipfile.ZIP_DEFLATED
    return info


def _members(tree: Path, names: Iterable[str]) -> Iterator[ZipMember]:
    """Compress on every core (the compressor releases the GIL), and yield in the order of the names."""

    def compressed(batch: list[str]) -> list[ZipMember]:
        return [_member(tree, name) for name in batch]

    waiting: deque[Future[list[ZipMember]]] = deque()
    with ThreadPoolExecutor(_CORES) as pool:
        for batch in _batches(tree, names):
            waiting.append(pool.submit(compressed, batch))
            if len(waiting) > _MAX_PENDING:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _batches(tree: Path, names: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for name in names:
        batch.append(name)
        with _as_unsafe_tree(name):
            size += os.lstat(f"{tree}/{name}").st_size
        if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _member(tree: Path, name: str) -> ZipMember:
    if name.endswith("/"):
        return ZipMember(_zip_info(name, stat.S_IFDIR | 0o755), b"")
    path = f"{tree}/{name}"  # a Path for each of thousands of files would take longer than reading them
    with _as_unsafe_tree(name):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise UnsafeTree(f"{name} is not a plain file")
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        executable = os.fstat(fd).st_mode & stat.S_IXUSR
        plain = file.read()
    info = _zip_info(name, stat.S_IFREG | (0o755 if executable else 0o644))
    data = deflate.deflate_compress(plain, _LEVEL)
    info.CRC, info.file_size, info.compress_size = deflate.crc32(plain), len(plain), len(data)
    return ZipMember(info, data)


def _append(archive: zipfile.ZipFile, file: BinaryIO, member: ZipMember) -> None:
    """Append data that is already compressed, as `zipfile.ZipFile.writestr` would."""
    member.info.header_offset = file.tell()
    file.write(member.info.FileHeader(zip64=False))
    file.write(member.data)
    archive.filelist.append(member.info)
    archive.NameToInfo[member.info.filename] = member.info
    archive.start_dir = file.tell()
    archive.comment = b""  # tells the archive that it has changed
