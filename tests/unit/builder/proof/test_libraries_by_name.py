"""A library that code opens by its name is found if Lambda has it or the package brings it, never on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from binaries import MINOR, extension

from auto_lambda.errors import AppError, Code
from auto_lambda.runtimes import RUNTIMES
from auto_lambda.tools import interpreters
from builder.proof.lambda_libraries import libraries
from builder.proof.system_libraries import visible
from builder.sandbox.bubblewrap import library_folders

HANDLER = "\ndef handler(event, context): pass\n"
NAMES = libraries(RUNTIMES[MINOR])


def of_this_machine() -> Path:
    """A library that is installed here, and that neither Lambda nor Python has."""
    shown = visible(NAMES, interpreters()[MINOR], MINOR)
    return next(_others(shown))


def _others(shown: frozenset[str]) -> Iterator[Path]:
    for folder in library_folders():
        yield from (path for path in sorted(folder.glob("lib[a-z]*[a-z].so.[0-9]")) if path.name not in shown)


OTHER = of_this_machine()
STEM = OTHER.name.removeprefix("lib").partition(".so")[0]


@pytest.fixture(params=["isolated", "bounded"])
def prove(request: pytest.FixtureRequest, proving: Any, proving_plainly: Any) -> Callable[..., Any]:
    chosen: Callable[..., Any] = proving if request.param == "isolated" else proving_plainly
    return chosen


@pytest.mark.parametrize(
    "app",
    [
        f"import ctypes\nctypes.CDLL({OTHER.name!r})",
        f"import ctypes\nctypes.CDLL({str(OTHER)!r})",
        f"import ctypes\nctypes.CDLL({str(OTHER)!r}.encode())",
        f"from ctypes import util\nif not util.find_library({STEM!r}): raise ImportError('no {STEM} here')",
    ],
    ids=["its name", "its path", "bytes", "find_library"],
)
def test_a_library_of_this_machine_is_missing(prove: Callable[..., Any], app: str) -> None:
    with pytest.raises(AppError, match="neither in the package nor in Lambda's python") as caught:
        prove({"app.py": app + HANDLER})
    assert caught.value.code == Code.MISSING_LIBRARY
    assert f"lib{STEM}" in caught.value.message
    assert "lib/" in caught.value.hint


def test_libraries_of_lambda_and_of_the_package_are_found(prove: Callable[..., Any]) -> None:
    app = """
import ctypes, ctypes.util
assert ctypes.util.find_library("c") == "libc.so.6"
assert ctypes.util.find_library("stdc++") == "libstdc++.so.6"
assert ctypes.util.find_library("own") is None, "as on Lambda, where only the loader looks into lib/"
ctypes.CDLL(ctypes.util.find_library("c"))
ctypes.CDLL(None)
ctypes.CDLL("libown.so.1")
"""
    assert prove({"app.py": app + HANDLER, "lib/libown.so.1": extension()}).init_ms is not None


def test_cffi_is_watched_as_well(prove: Callable[..., Any]) -> None:
    backend = "def load_library(name, flags):\n    raise AssertionError(name)\n"
    app = f"import _cffi_backend\n_cffi_backend.load_library({OTHER.name!r}, 0)\n"
    with pytest.raises(AppError) as caught:
        prove({"app.py": app + HANDLER, "_cffi_backend.py": backend})
    assert caught.value.code == Code.MISSING_LIBRARY


def test_an_app_that_does_without_the_library_starts(prove: Callable[..., Any]) -> None:
    app = f"import ctypes\ntry:\n    ctypes.CDLL({OTHER.name!r})\nexcept OSError: pass\n"
    assert prove({"app.py": app + HANDLER}).init_ms is not None


def test_a_library_of_lambda_that_this_machine_lacks_is_no_fault_of_the_app(prove: Callable[..., Any]) -> None:
    absent = next(
        name
        for name in sorted(NAMES)
        if name.startswith("lib") and not any((one / name).exists() for one in library_folders())
    )
    proof = prove({"app.py": f"import ctypes\nctypes.CDLL({absent!r})\n" + HANDLER})
    assert proof.init_ms is None
    assert proof.warnings == (f"{absent} is on Lambda, but not on this machine: only the deployment will show a start",)


def test_c_code_does_not_see_it_either(proving: Any) -> None:
    app = f"""
import os
assert not os.path.exists({str(OTHER)!r})
loader = os.popen("ls {OTHER.parent}").read().split()
assert {OTHER.name!r} not in loader and "libc.so.6" in loader
"""
    assert proving({"app.py": app + HANDLER}).init_ms is not None


def test_all_of_pythons_own_modules_still_load(proving: Any) -> None:
    app = "import bz2, curses, dbm, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib, pyexpat, decimal, ctypes\n"
    assert proving({"app.py": app + "hashlib.sha3_256(); ssl.create_default_context()" + HANDLER}).init_ms is not None
