"""A folder of plain files as two files: an index in JSON and the content of all, one after the other.

Neither side has to trust the other for it: the reader creates each file itself, below a folder of its own, under a name
that it has checked.
"""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from builder.protocol.files import require_plain

INDEX, CONTENT = "tree.index", "tree.content"
MAX_FILES = 200_000
"""Files and folders together."""

MAX_INDEX_BYTES = 64 * 1024 * 1024
_MAX_PATH, _MAX_NAME = 1_000, 255  # bytes
_MODE, _EXECUTABLE = 0o644, 0o755
_INDEX: TypeAdapter[list[tuple[str, int, bool]]] = TypeAdapter(list[tuple[str, int, bool]])


class BadTree(ValueError):
    """The two files are not a folder; the message says why."""


def write_tree(folder: Path, index: Path, content: Path) -> None:
    """Write a folder of plain files as an index and a content file."""
    entries: list[tuple[str, int, bool]] = []
    start = len(str(folder)) + 1
    with content.open("wb") as target:
        for path in _files(folder):
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                info = os.fstat(source)
                entries.append((path[start:], info.st_size, bool(info.st_mode & stat.S_IXUSR)))
                _copy(source, target.fileno(), 0, info.st_size)
            finally:
                os.close(source)
    index.write_text(json.dumps(entries))


def read_tree(index: bytes, content: int, into: Path) -> None:
    """Make the folder anew.

    Args:
        index: the index file.
        content: the content file, open for reading.
        into: the folder; must not exist.

    Raises:
        BadTree: a path leads elsewhere or stands twice, or the sizes do not add up.
        BadMessage: the content is no plain file.
    """
    entries = _entries(index)
    require_plain(content, CONTENT)
    if sum(size for _, size, _ in entries) != os.fstat(content).st_size:
        raise BadTree("the content has another size than the index says")
    into.mkdir()
    for folder in sorted({path.rpartition("/")[0] for path, _, _ in entries}):
        (into / folder).mkdir(parents=True, exist_ok=True)

    def make(entry: tuple[tuple[str, int, bool], int]) -> None:
        (path, size, executable), start = entry
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(f"{into}/{path}", flags, _EXECUTABLE if executable else _MODE)
        try:
            os.fchmod(file, _EXECUTABLE if executable else _MODE)  # whatever this process's umask is
            _copy(content, file, start, size)
        finally:
            os.close(file)

    starts = itertools.accumulate((size for _, size, _ in entries), initial=0)
    for entry in zip(entries, starts, strict=False):  # threads would only wait for each other: it is 6 times slower
        make(entry)
    for made, _, _ in os.walk(into):
        Path(made).chmod(_EXECUTABLE)


def _entries(index: bytes) -> list[tuple[str, int, bool]]:
    if len(index) > MAX_INDEX_BYTES or index.count(b",") > 4 * MAX_FILES:  # before it is parsed, which takes memory
        raise BadTree(f"an index of more than {MAX_FILES:,} files")
    try:
        entries = _INDEX.validate_json(index, strict=True)
    except ValidationError:
        raise BadTree("its index has another shape") from None
    if len(entries) > MAX_FILES:
        raise BadTree(f"more than {MAX_FILES:,} files")
    files = {path for path, _, _ in entries}
    if len(files) != len(entries):
        raise BadTree("a path stands twice")
    folders: set[str] = set()
    for path, size, _ in entries:
        if size < 0 or not _is_taken(path):
            raise BadTree(f"a path that is not taken: {path[:200]!a}")
        folder = path
        while (folder := folder.rpartition("/")[0]) and folder not in folders:
            folders.add(folder)
            if len(files) + len(folders) > MAX_FILES:
                raise BadTree(f"more than {MAX_FILES:,} files and folders")
    if both := files & folders:
        raise BadTree(f"a file is a folder, too: {min(both)[:200]!a}")
    return entries


def _is_taken(path: str) -> bool:
    if not path.isprintable() or len(path.encode()) > _MAX_PATH:
        return False
    return all(part not in ("", ".", "..") and len(part.encode()) <= _MAX_NAME for part in path.split("/"))


def _files(folder: Path) -> Iterator[str]:
    for path, folders, names in os.walk(folder):
        folders.sort()
        yield from (f"{path}/{name}" for name in sorted(names))


def _copy(source: int, target: int, start: int, size: int) -> None:
    while size:
        copied = os.sendfile(target, source, start, size)
        if not copied:
            raise BadTree("the content ends too early")
        start, size = start + copied, size - copied
