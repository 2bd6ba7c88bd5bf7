"""Zips that no ordinary tool makes, each with the error that the uploader must get. For unit and end-to-end tests."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from auto_lambda.errors import Code

UTF8 = 0x800


@dataclass(frozen=True)
class Raw:
    """One entry, every field of it free to lie. None: what is true."""

    name: str | bytes
    data: bytes = b"x"
    method: int = 8
    flags: int = UTF8
    mode: int = stat.S_IFREG | 0o644
    system: int = 3
    size: int | None = None
    crc: int | None = None
    offset: int | None = None
    local_name: bytes | None = None


def build(*entries: Raw, prefix: bytes = b"", suffix: bytes = b"", count: int | None = None) -> bytes:
    """A zip of these entries. ``prefix`` is told to the directory, as in self-extracting archives."""
    body, directory = io.BytesIO(), io.BytesIO()
    body.write(prefix)
    for entry in entries:
        _write(entry, body, directory)
    start, listed = body.tell(), directory.getvalue()
    declared = len(entries) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, declared & 0xFFFF, declared & 0xFFFF, len(listed), start, 0)
    return body.getvalue() + listed + end + suffix


def _write(entry: Raw, body: io.BytesIO, directory: io.BytesIO) -> None:
    name = entry.name if isinstance(entry.name, bytes) else entry.name.encode()
    packed = _packed(entry)
    crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
    size = len(entry.data) if entry.size is None else entry.size
    offset = body.tell() if entry.offset is None else entry.offset
    common = struct.pack("<4H3L", entry.flags, entry.method, 0, 0x21, crc, len(packed), size)
    local_name = name if entry.local_name is None else entry.local_name
    body.write(struct.pack("<4sH", b"PK\x03\x04", 20) + common + struct.pack("<2H", len(local_name), 0))
    body.write(local_name + packed)
    directory.write(struct.pack("<4sBBH", b"PK\x01\x02", 20, entry.system, 20) + common)
    directory.write(struct.pack("<5H2L", len(name), 0, 0, 0, 0, entry.mode << 16, offset) + name)


def _packed(entry: Raw) -> bytes:
    if entry.method != 8:
        return entry.data
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(entry.data) + packer.flush()


APP = (
    Raw("app.py", b"from chalice import Chalice\napp = Chalice(app_name='app')\n"),
    Raw(".chalice/config.json", b'{"version": "2.0", "app_name": "app", "stages": {"dev": {}}}'),
)
"""An app that would be fine, so that only the hostile part is refused."""


def hostile_zips() -> Iterator[tuple[str, bytes, Code]]:
    """Every case: a name for the test, the file, the code."""
    for cases in (_not_zips(), _damaged(), _bombs(), _names(), _duplicates(), _kinds()):
        yield from cases


def _not_zips() -> Iterator[tuple[str, bytes, Code]]:
    yield "zero-bytes", b"", Code.NOT_A_ZIP
    yield "text", b"hello\n" * 100, Code.NOT_A_ZIP
    yield "gzip", b"\x1f\x8b\x08" + b"\0" * 100, Code.NOT_A_ZIP
    yield "no-entries", build(), Code.ZIP_EMPTY
    yield "only-folders", build(Raw("app/", b"", 0, mode=stat.S_IFDIR | 0o755)), Code.ZIP_EMPTY
    yield "only-macos-leftovers", build(Raw("__MACOSX/._app.py"), Raw("a/.DS_Store")), Code.ZIP_EMPTY


def _damaged() -> Iterator[tuple[str, bytes, Code]]:
    good = build(*APP)
    yield "cut-off", good[: len(good) // 2], Code.ZIP_CORRUPT
    yield "end-cut-off", good[:-3], Code.ZIP_CORRUPT
    yield "data-after", good + b"#!/bin/sh\n", Code.ZIP_CORRUPT
    yield "data-before", b"#!/bin/sh\n" + good, Code.ZIP_CORRUPT
    yield "data-before-adjusted", build(*APP, prefix=b"MZ" + b"\0" * 500), Code.ZIP_CORRUPT
    yield "two-zips-in-one", good + build(Raw("app.py", b"other")), Code.ZIP_CORRUPT
    yield "wrong-checksum", build(*APP, Raw("bad.py", crc=7)), Code.ZIP_CORRUPT
    yield "not-deflate", _stored_said_deflated(), Code.ZIP_CORRUPT
    yield "name-differs-inside", build(*APP, Raw("a.py", local_name=b"b.py")), Code.ZIP_CORRUPT
    yield "folder-with-content", build(*APP, Raw("folder/", b"content")), Code.ZIP_CORRUPT
    yield "entry-points-nowhere", build(*APP, Raw("a.py", offset=0xFFFFFF)), Code.ZIP_CORRUPT
    yield "entry-points-into-data", build(*APP, Raw("a.py", b"y" * 64, offset=7)), Code.ZIP_BOMB
    yield "several-disks", good[:-18] + b"\x01\0" + good[-16:], Code.ZIP_CORRUPT
    yield "not-utf8-but-says-so", build(*APP, Raw(b"\xff\xfe.py")), Code.ZIP_CORRUPT
    yield "lying-count", build(*APP, count=1), Code.ZIP_CORRUPT
    yield "longer-than-announced", build(*APP, Raw("a.bin", b"z" * 5_000_000, size=10)), Code.ZIP_CORRUPT
    yield "shorter-than-announced", build(*APP, Raw("a.bin", b"z" * 10, size=5_000)), Code.ZIP_CORRUPT


def _stored_said_deflated() -> bytes:
    plain = build(Raw("bad.py", b"\xff" * 50, 0))
    return plain.replace(struct.pack("<2H", UTF8, 0), struct.pack("<2H", UTF8, 8))


def _bombs() -> Iterator[tuple[str, bytes, Code]]:
    empty = Raw("f", b"", 0)
    many = tuple(replace(empty, name=f"f{number}") for number in range(20_001))
    yield "20001-entries", build(*many), Code.ZIP_TOO_MANY_FILES
    yield "20001-entries-lying-count", build(*many, count=2), Code.ZIP_TOO_MANY_FILES
    yield "zeros", build(*APP, Raw("zeros.bin", bytes(40 * 1024 * 1024))), Code.ZIP_BOMB
    yield "four-gigabytes-announced", build(*APP, Raw("a.bin", size=0xFFFFFFF0)), Code.ZIP_TOO_LARGE
    names = (Raw(f"k{number}", bytes(100_000), offset=0) for number in range(50))
    yield "one-kernel-many-names", build(Raw("kernel", bytes(100_000)), *names), Code.ZIP_BOMB
    yield "quoted-overlap", _overlapping(), Code.ZIP_BOMB


def _overlapping() -> bytes:
    """The second entry's header lies inside the first one's stored data."""
    inner = build(Raw("inner.py", b"print()", 0))
    at_inner = 30 + len("outer.bin")
    return build(Raw("outer.bin", inner[: -22 - 46 - 8], 0), Raw("inner.py", b"print()", 0, offset=at_inner))


def _names() -> Iterator[tuple[str, bytes, Code]]:
    for case, name in {
        "parent": "../evil.py",
        "parent-inside": "a/../../evil.py",
        "parent-at-end": "a/..",
        "absolute": "/etc/cron.d/evil",
        "two-slashes": "//host/share",
        "empty-part": "a//b.py",
        "dot-part": "a/./b.py",
        "drive": "C:/evil.py",
        "backslash": "..\\evil.py",
        "nul": "app.py\0.txt",
        "newline": "a\nb.py",
        "escape": "\x1b[2Jclear.py",
        "delete": "a\x7f.py",
        "c1-control": "a\u009bb.py",
        "bidi-override": "cod\u202egpj.py",
        "bidi-isolate": "a\u2066b.py",
        "zero-width": "a\u200bb.py",
        "line-separator": "a\u2028b.py",
        "empty": "",
        "long-part": "n" * 256,
        "long-path": "/".join(["n" * 100] * 11),
        "deep": "d/" * 41 + "f",
    }.items():
        yield f"name-{case}", build(*APP, Raw(name)), Code.ZIP_UNSAFE_NAME
    yield "name-windows-parent", build(*APP, Raw("a\\..\\..\\evil.py", system=0)), Code.ZIP_UNSAFE_NAME
    yield "name-windows-absolute", build(*APP, Raw("\\evil.py", system=0)), Code.ZIP_UNSAFE_NAME


def _duplicates() -> Iterator[tuple[str, bytes, Code]]:
    pairs = {
        "same": ("a.py", "a.py"),
        "case": ("readme", "README"),
        "sharp-s": ("stra\u00dfe", "STRASSE"),
        "accents": ("caf\u00e9.py", "cafe\u0301.py"),
        "folder-case": ("Lib/a.py", "lib/b.py"),
        "file-then-folder": ("a", "a/b.py"),
        "folder-then-file": ("a/b.py", "a"),
        "dot-slash": ("./a.py", "a.py"),
    }
    for case, (one, two) in pairs.items():
        yield f"duplicate-{case}", build(*APP, Raw(one), Raw(two)), Code.ZIP_DUPLICATE_NAME


def _kinds() -> Iterator[tuple[str, bytes, Code]]:
    for case, kind in {
        "symlink": stat.S_IFLNK,
        "fifo": stat.S_IFIFO,
        "socket": stat.S_IFSOCK,
        "character-device": stat.S_IFCHR,
        "block-device": stat.S_IFBLK,
    }.items():
        yield f"kind-{case}", build(*APP, Raw("x", b"/etc/passwd", 0, mode=kind | 0o777)), Code.ZIP_LINK
    link = Raw("dir", b"/tmp", 0, mode=stat.S_IFLNK | 0o777)
    yield "write-through-symlink", build(*APP, link, Raw("dir/evil.py")), Code.ZIP_LINK
    yield "symlink-said-to-be-from-windows", build(*APP, replace(link, system=0)), Code.ZIP_LINK
    yield "encrypted", build(*APP, Raw("secret.py", b"y" * 20, 0, flags=UTF8 | 1)), Code.ZIP_ENCRYPTED
    yield "strongly-encrypted", build(*APP, Raw("secret.py", flags=UTF8 | 0x41)), Code.ZIP_ENCRYPTED
    for method, name in ((1, "shrunk"), (9, "deflate64"), (99, "aes")):
        yield f"method-{name}", build(*APP, Raw("a.py", method=method)), Code.ZIP_METHOD
    yield "method-bzip2", _by_zipfile(zipfile.ZIP_BZIP2), Code.ZIP_METHOD
    yield "method-lzma", _by_zipfile(zipfile.ZIP_LZMA), Code.ZIP_METHOD
    yield "patched-data", build(*APP, Raw("a.py", flags=UTF8 | 0x20)), Code.ZIP_CORRUPT


def _by_zipfile(method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("app.py", "print()\n" * 50)
    return made.getvalue()
