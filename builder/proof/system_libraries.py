"""Choose which of this machine's libraries a function may see while it is tested: those that Lambda has as well.

With them comes what this machine's builds of them need, and what Python's own modules need: on Lambda, these are built
otherwise.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.sandbox.bubblewrap import library_folders

_HEADER, _SEGMENT, _ENTRY = struct.Struct("<16x16xQ14xHH6x"), struct.Struct("<II5Q8x"), struct.Struct("<qQ")
_LOADED, _DYNAMIC = 1, 2  # p_type
_END, _NEEDED, _STRINGS = 0, 1, 5  # d_tag
_PROGRAMS = ("/usr/bin/prlimit",)  # starts what the sandbox runs
_LOOK_UPS = "libnss_*.so.2"  # of users and hosts, as this machine's C library is told to do them
_NOT_ON_LAMBDA = "_tkinter"


def visible(wanted: Iterable[str], interpreter: Path, minor: str) -> frozenset[str]:
    """Return the file names of libraries that may be seen.

    Args:
        wanted: the names of those on Lambda.
        interpreter: the Python that runs the function.
        minor: of that Python.
    """
    folders = library_folders()
    base = interpreter.resolve()
    modules = base.parents[1].glob(f"lib*/python{minor}/lib-dynload/*.so")
    found = {*wanted, *(path.name for folder in folders for path in folder.glob(_LOOK_UPS))}
    queue = [base, *map(Path, _PROGRAMS), *(one for one in modules if not one.name.startswith(_NOT_ON_LAMBDA))]
    queue += [folder / name for folder in folders for name in found]
    while queue:
        for name in set(_needed(queue.pop())) - found:
            found.add(name)
            queue += [folder / name for folder in folders]
    return frozenset(found)


def _needed(path: Path) -> Iterator[str]:
    """Yield what a binary of this machine names as its libraries, in a hundredth of the time that pyelftools takes."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:6] == b"\x7fELF\x02\x01":
                yield from _names(data)
    except (OSError, OverflowError, StopIteration, struct.error, ValueError):
        return  # none of that name here, or no library


def _names(data: mmap.mmap) -> list[str]:
    start, size, count = _HEADER.unpack_from(data)
    segments = [_SEGMENT.unpack_from(data, start + number * size) for number in range(count)]
    at, length = next((one[2], one[5]) for one in segments if one[0] == _DYNAMIC)
    entries = list(_until_end(data[at : at + length]))
    address = next(value for tag, value in entries if tag == _STRINGS)
    loaded = next(one for one in segments if one[0] == _LOADED and 0 <= address - one[3] < one[5])
    strings = loaded[2] + address - loaded[3]
    begins = [strings + value for tag, value in entries if tag == _NEEDED]
    return [data[begin : data.find(b"\0", begin)].decode() for begin in begins]


def _until_end(table: bytes) -> Iterator[tuple[int, int]]:
    for tag, value in _ENTRY.iter_unpack(table[: len(table) // 16 * 16]):
        if tag == _END:
            return
        yield tag, value
