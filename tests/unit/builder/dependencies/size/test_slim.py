from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest
from binaries import MINOR, TAGGED, extension
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.tools import interpreters
from builder.dependencies.size.slim import Savings, loaded_bytes, measure, slim


def installed(site: Path, files: Mapping[str, bytes | str]) -> Path:
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return site


def left(site: Path) -> set[str]:
    return {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}


def test_tests_documentation_and_stubs_are_left_out_and_nothing_else(tmp_path: Path) -> None:
    kept = {
        "shop/__init__.py": "", "shop/tests.py": "tests = 1", "shop/test/signals.py": "django has one",
        "shop/docs/__init__.py": "botocore.docs is imported", "shop/docs/page.rst": "text", "shop/py.typed": "",
        "shop-1.dist-info/RECORD": "",
    }  # fmt: skip
    site = installed(tmp_path, {
        **kept, "shop/tests/__init__.py": "xx", "shop/tests/data/large.bin": "x" * 98, "shop/__init__.pyi": "xyz",
        "shop/part/docs/index.html": "<html>", "tests/test_shop.py": "x" * 10,
    })  # fmt: skip
    before = measure(site)
    assert before == Savings(tests=110, docs=6, stubs=3, symbols=0)
    assert slim(site) == before
    assert left(site) == kept.keys()
    assert measure(site).total == 0


def test_a_library_without_its_symbols_still_loads(tmp_path: Path) -> None:
    cached = tmp_path / "cached.so"
    cached.write_bytes(extension())
    python = interpreters()[MINOR]
    name = next(path for path in _modules() if path.read_bytes() == extension()).name.partition(".")[0]
    library = tmp_path / "site" / f"{name}.{TAGGED}.so"
    library.parent.mkdir()
    os.link(cached, library)
    saved = slim(tmp_path / "site")
    assert saved.symbols == len(extension()) - library.stat().st_size > 0
    assert cached.read_bytes() == extension(), "it may belong to uv's cache"
    code = f"import sys; sys.path.insert(0, {str(library.parent)!r}); import {name}; print({name}.__file__)"
    loaded = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == str(library)
    assert slim(tmp_path / "site").total == 0


def _modules() -> list[Path]:
    python = interpreters()[MINOR]
    return sorted((python.parents[1] / "lib" / f"python{MINOR}" / "lib-dynload").glob("*.so"))


def test_what_is_loaded_stays_as_it_is(tmp_path: Path) -> None:
    library = tmp_path / "libx.so.1"
    library.write_bytes(extension())
    before = [(one.header, one.data()) for one in ELFFile(BytesIO(extension())).iter_segments()]
    slim(tmp_path)
    after = [(one.header, one.data()) for one in ELFFile(BytesIO(library.read_bytes())).iter_segments()]
    assert [header for header, _ in before] == [header for header, _ in after]
    assert [data[64:] for _, data in before] == [data[64:] for _, data in after]


@pytest.mark.parametrize(
    "content",
    [extension() + b"a payload that the program reads" * 9, b"\x7fELF", b"GROUP ( libc.so.6 )", b""],
    ids=["appended data", "cut off", "linker script", "empty"],
)
def test_other_files_with_such_a_name_stay(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lib.so").write_bytes(content)
    assert slim(tmp_path).total == 0
    assert (tmp_path / "lib.so").read_bytes() == content


@given(st.data())
def test_no_damage_to_a_file_gets_past_the_reader(data: st.DataObject) -> None:
    damaged = bytearray(extension())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, 512))] = data.draw(st.integers(0, 255))
    path = Path(f"/dev/shm/slim-{os.getpid()}.so")
    try:
        path.write_bytes(damaged)
        end = loaded_bytes(path)
    finally:
        path.unlink()
    assert end is None or 0 < end < len(damaged)
