"""Extension modules for tests: a real one of this machine's Python, with single facts changed in place."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from auto_lambda.tools import interpreters

MINOR = "3.12"
TAGGED = "cpython-312-x86_64-linux-gnu"
_FOLDER = "import sysconfig; print(sysconfig.get_path('platstdlib'))"


@cache
def extension() -> bytes:
    """A module that needs nothing but the C library."""
    python = interpreters()[MINOR]
    library = subprocess.run([python, "-I", "-c", _FOLDER], capture_output=True, text=True, check=True).stdout.strip()
    for path in sorted(Path(library, "lib-dynload").glob("*.so")):
        data = path.read_bytes()
        if b"\0libc.so.6\0" in data and b"GLIBC_2.2.5\0" in data:
            return data
    raise LookupError("this Python has no extension modules")


def needing(library: str) -> bytes:
    """It needs another library than the C library; the name has nine characters at most."""
    return extension().replace(b"libc.so.6\0", library.encode().ljust(10, b"\0"))


def newer() -> bytes:
    """It asks for symbols of a C library that is not written yet."""
    return extension().replace(b"GLIBC_2.2.5\0", b"GLIBC_2.999\0")


def foreign() -> bytes:
    """It is built for ARM."""
    data = bytearray(extension())
    data[18:20] = (183).to_bytes(2, "little")  # e_machine: EM_AARCH64
    return bytes(data)
