from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from builders import described, descriptors

from builder.protocol.channel import BadMessage
from builder.protocol.files import copy_checked, describe
from builder.protocol.messages import File

MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


def file_of(content: bytes, **changes: Any) -> File:
    return File.model_validate({**described("x", content), **changes})


def refused(descriptor: int, file: File, to: Path, max_bytes: int = 10 * MEGABYTE) -> str:
    try:
        with pytest.raises(BadMessage) as raised:
            copy_checked(descriptor, file, to, max_bytes)
    finally:
        os.close(descriptor)
    assert not to.exists()
    return str(raised.value)


@pytest.mark.parametrize("size", [0, 1, MEGABYTE - 1, MEGABYTE, MEGABYTE + 1, 3 * MEGABYTE])
def test_a_copy_is_the_file(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "from").write_bytes(content)
    with ExitStack() as opened:
        file, descriptor = describe(tmp_path / "from", "x", opened)
        assert file == file_of(content)
        os.lseek(descriptor, size, os.SEEK_SET)  # where the other side has left it says nothing
        copy_checked(descriptor, file, tmp_path / "to", size)
    assert (tmp_path / "to").read_bytes() == content


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "to").symlink_to(tmp_path / "precious")
    with tempfile.TemporaryFile() as source, pytest.raises(FileExistsError):
        copy_checked(source.fileno(), file_of(b""), tmp_path / "to", 10)
    assert not (tmp_path / "precious").exists()


def test_a_link_is_not_described(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with ExitStack() as opened, pytest.raises(OSError, match="symbolic links"):
        describe(tmp_path / "link", "x", opened)


@pytest.mark.parametrize(
    "changes", [{"size": 2}, {"size": 4}, {"size": 0}, {"sha256": "0" * 64}, {"size": 10**30}, {"size": 10 * MEGABYTE}]
)
def test_a_description_that_lies(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "from").write_bytes(b"abc")
    said = refused(os.open(tmp_path / "from", os.O_RDONLY), file_of(b"abc", **changes), tmp_path / "to")
    assert "description" in said or "larger" in said


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"abc")
    said = refused(os.open(tmp_path / "from", os.O_RDONLY), file_of(b"abc"), tmp_path / "to", 2)
    assert "larger than 2 bytes" in said


def test_a_file_without_end_is_read_no_further_than_described(tmp_path: Path) -> None:
    (tmp_path / "from").touch()
    os.truncate(tmp_path / "from", 2**40)  # sparse
    refused(os.open(tmp_path / "from", os.O_RDONLY), file_of(b"\0" * 10), tmp_path / "to")


def fifo(folder: Path) -> int:
    os.mkfifo(folder / "from")
    return os.open(folder / "from", os.O_RDWR)


def device(path: str) -> Callable[[Path], int]:
    return lambda _: os.open(path, os.O_RDONLY)


def pipe(_: Path) -> int:
    one, other = os.pipe()
    os.close(other)
    return one


def plain(flags: int) -> Callable[[Path], int]:
    def open_it(folder: Path) -> int:
        (folder / "from").write_bytes(b"abc")
        return os.open(folder / "from", flags)

    return open_it


def connection(_: Path) -> int:
    one, other = socket.socketpair()
    other.close()
    return one.detach()


def link(folder: Path) -> int:
    (folder / "from").symlink_to("/etc/hostname")
    return os.open(folder / "from", os.O_PATH | os.O_NOFOLLOW)


OTHERS: dict[str, Callable[[Path], int]] = {
    "fifo": fifo, "pipe": pipe, "zero": device("/dev/zero"), "null": device("/dev/null"), "folder": device("/"),
    "socket": connection, "write-only": plain(os.O_WRONLY), "path": plain(os.O_PATH), "link": link,
    "memory": device("/proc/self/mem"), "environ": device("/proc/self/environ"), "maps": device("/proc/self/maps"),
    "event": lambda _: os.eventfd(1), "process": lambda _: os.pidfd_open(os.getpid()),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("content", [b"", b"abc", b"\0" * 4096])
def test_what_is_no_plain_file(tmp_path: Path, kind: str, content: bytes) -> None:
    refused(OTHERS[kind](tmp_path), file_of(content), tmp_path / "to")


def test_direct_input_is_refused(tmp_path: Path) -> None:
    try:
        descriptor = plain(os.O_RDONLY | os.O_DIRECT)(tmp_path)
    except OSError:
        descriptor = plain(os.O_PATH)(tmp_path)  # this file system has none
    assert "open for reading" in refused(descriptor, file_of(b"abc"), tmp_path / "to")


@pytest.mark.parametrize("change", ["other", "shorter", "longer"])
def test_a_file_that_changes_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    content = b"a" * (3 * MEGABYTE)
    path = tmp_path / "from"
    path.write_bytes(content)
    read = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if offset == MEGABYTE:
            changed = {"other": b"b" * len(content), "shorter": content[:-MEGABYTE], "longer": content + b"a"}
            path.write_bytes(changed[change])
        return read(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert "description" in refused(os.open(path, os.O_RDONLY), file_of(content), tmp_path / "to")


def test_a_copy_that_another_thread_writes_to_is_what_its_hash_says_or_refused(tmp_path: Path) -> None:
    content = b"a" * (2 * MEGABYTE)
    path = tmp_path / "from"
    path.write_bytes(content)
    stop = threading.Event()

    def write() -> None:
        with path.open("r+b") as file:
            while not stop.is_set():
                for letter in (b"b", b"a"):
                    file.seek(MEGABYTE)
                    file.write(letter * 10)
                    file.flush()

    thread = threading.Thread(target=write)
    thread.start()
    outcomes = set()
    try:
        with path.open("rb") as source:
            for number in range(30):
                to = tmp_path / f"to-{number}"
                try:
                    copy_checked(source.fileno(), file_of(content), to, len(content))
                    outcomes.add(hashlib.sha256(to.read_bytes()).hexdigest() == file_of(content).sha256)
                except BadMessage:
                    assert not to.exists()
    finally:
        stop.set()
        thread.join()
    assert outcomes <= {True}
