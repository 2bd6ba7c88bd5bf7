"""Files that travel beside a message: described by the sender, copied and checked by the receiver."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from builder.protocol.channel import BadMessage
from builder.protocol.messages import File

_CHUNK = 1024 * 1024


def describe(path: Path, name: str, opened: ExitStack) -> tuple[File, int]:
    """Open a file to be sent; return its description and its descriptor, which ``opened`` closes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    opened.callback(os.close, descriptor)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    os.lseek(descriptor, 0, os.SEEK_SET)
    return File(name=name, size=os.fstat(descriptor).st_size, sha256=digest), descriptor


def require_plain(descriptor: int, name: str) -> None:
    """Raise unless a file that came with a message is a plain one, open so that reading it can be relied on.

    Raises:
        BadMessage: it is a folder, a device, a pipe, or not open for reading.
    """
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    readable = flags & os.O_ACCMODE in (os.O_RDONLY, os.O_RDWR) and not flags & (os.O_PATH | os.O_DIRECT)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not readable:
        raise BadMessage(f"{name} is not a plain file that is open for reading")


def copy_checked(descriptor: int, file: File, to: Path, max_bytes: int) -> None:
    """Copy a file that came with a message, whatever its sender does to it meanwhile.

    Args:
        descriptor: the file, open for reading.
        file: its description.
        to: the copy; must not exist.
        max_bytes: larger ones are refused.

    Raises:
        BadMessage: it is no plain file, has another size or content than its description, or is too large.
    """
    require_plain(descriptor, file.name)
    if file.size > max_bytes:
        raise BadMessage(f"{file.name} is larger than {max_bytes:,} bytes")
    try:
        with to.open("xb") as target:
            digest, size = _copy(descriptor, file, target)
        if size != file.size or digest != file.sha256:
            raise BadMessage(f"{file.name} is not what its description says")
    except BadMessage:
        to.unlink()
        raise


def _copy(descriptor: int, file: File, target: IO[bytes]) -> tuple[str, int]:
    """Copy what is there, but little more than described; return its hash and size."""
    digest, offset = hashlib.sha256(), 0
    while offset <= file.size and (data := _read(descriptor, file, offset)):
        digest.update(data)
        target.write(data)
        offset += len(data)
    return digest.hexdigest(), offset


def _read(descriptor: int, file: File, offset: int) -> bytes:
    try:
        return os.pread(descriptor, _CHUNK, offset)
    except OSError as error:
        raise BadMessage(f"{file.name} cannot be read: {error.strerror}") from None
