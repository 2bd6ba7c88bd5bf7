"""The body of an upload, as it comes in: a zip that goes on to S3, or the files of a folder that is zipped here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from auto_lambda_cli.console.problems import Problem

_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_HEADER, _PIECE = 8192, 65_536  # bytes
_DEEPEST, _LONGEST_NAME, _LONGEST_PATH = 64, 255, 1024


class BodyReader:
    """Reads a body that comes in chunks, as a file, and knows its size and hash.

    Args:
        chunk: returns the next chunk, at the end an empty one; what it raises is raised.
        length: that the body has to have, in bytes.
    """

    def __init__(self, chunk: Callable[[], bytes], length: int) -> None:
        self._chunk = chunk
        self._length = length
        self._buffer = bytearray()
        self._ended = False
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what was read, in hexadecimal."""
        return self._hash.hexdigest()

    def read(self, amount: int = -1) -> bytes:
        """Read so many bytes, fewer only at the end; by default all.

        Raises:
            Problem: the body ended early.
        """
        while not self._ended and (amount < 0 or len(self._buffer) < amount):
            self._fill()
        with memoryview(self._buffer) as view:  # a slice of the buffer would be one more copy of a whole part
            taken = bytes(view if amount < 0 else view[:amount])
        del self._buffer[: len(taken)]
        self._hash.update(taken)
        self.size += len(taken)
        return taken

    def line(self, most: int) -> bytes:
        """Read up to the next line end, and return it without that; at the end of the body nothing.

        Raises:
            Problem: there is none within so many bytes.
        """
        while b"\n" not in self._buffer and not self._ended and len(self._buffer) < most:
            self._fill()
        end = self._buffer.find(b"\n", 0, most)
        if end < 0 and self._buffer:
            raise Problem("bad-request", "the upload has bytes that belong to no file")
        return self.read(end + 1)[:-1] if end >= 0 else b""

    def begins_like_a_zip(self) -> bool:
        """Tell whether it does, without reading on."""
        while len(self._buffer) < len(_ZIPS[0]) and not self._ended:
            self._fill()
        return bytes(self._buffer[: len(_ZIPS[0])]) in _ZIPS

    def _fill(self) -> None:
        chunk = self._chunk()
        self._buffer += chunk
        if not chunk:
            self._ended = True
            if self.size + len(self._buffer) != self._length:
                raise Problem("bad-request", "the upload ended early", "Drop it again.", retry=True)


def save_files(body: BodyReader, folder: Path, most_files: int, most_bytes: int) -> int:
    """Write the files of a body below a new folder, and return how many there are.

    Before each file, the body has a line of JSON with its ``path`` and its ``size``.

    Raises:
        Problem: there are too many, they are too large, or one has a name that leads elsewhere.
    """
    count = total = 0
    while header := body.line(_HEADER):
        name, size = _described(header)
        count, total = count + 1, total + size
        if count > most_files or total > most_bytes:
            told = f"the folder has more than {most_files:,} files or {most_bytes:,} bytes"
            raise Problem("too-large", told, "Drop the app's own files only; dependencies are installed.")
        _save(body, folder, name, size)
    return count


def _described(header: bytes) -> tuple[str, int]:
    try:
        told = json.loads(header)
        name, size = told["path"], told["size"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Problem("bad-request", "the upload does not name its files") from None
    if not isinstance(name, str) or type(size) is not int or size < 0:
        raise Problem("bad-request", "the upload does not name its files")
    check_name(name)
    return name, size


def check_name(name: str) -> None:
    """Check that a name leads to a file below the folder, and nowhere else.

    Raises:
        Problem: it does not.
    """
    parts = name.split("/")
    try:
        lengths = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:  # half a character
        raise Problem("bad-request", "a file has a name that is no text") from None
    good = all(0 < length <= _LONGEST_NAME for length in lengths) and not {".", ".."} & set(parts) and "\0" not in name
    if not good or len(parts) > _DEEPEST or sum(lengths) + len(parts) > _LONGEST_PATH:
        raise Problem("bad-request", f"{name[:200]!r} is no name for a file of a folder")


def _save(body: BodyReader, folder: Path, name: str, size: int) -> None:
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while size and (piece := body.read(min(size, _PIECE))):
                size -= file.write(piece)
    except (FileExistsError, NotADirectoryError):
        raise Problem("bad-request", f"{name!r} is twice in the folder") from None
    if size:
        raise Problem("bad-request", "the upload ended early", "Drop it again.", retry=True)
