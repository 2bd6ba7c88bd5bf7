from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from binaries import MINOR

from auto_lambda.runtimes import RUNTIMES
from auto_lambda.tools import interpreters
from builder.proof import system_libraries
from builder.proof.lambda_libraries import libraries
from builder.proof.system_libraries import visible

PYTHON = interpreters()[MINOR]


def test_what_pythons_own_modules_need_can_be_seen() -> None:
    shown = visible((), PYTHON, MINOR)
    for module in (PYTHON.resolve().parents[1] / "lib" / f"python{MINOR}" / "lib-dynload").glob("_s[sq]*.so"):
        listed = subprocess.run(["ldd", module], capture_output=True, text=True, check=True).stdout
        needed = {line.split()[0] for line in listed.splitlines() if "=>" in line}
        assert {Path(name).name for name in needed if not name.startswith("/")} <= shown


def test_a_library_brings_what_this_machines_build_of_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, needs in (("libleaf.so.1", []), ("libbranch.so.1", ["-lleaf"]), ("libtree.so.1", ["-lbranch"])):
        command = ["cc", "-shared", "-Wl,--no-as-needed", f"-Wl,-soname,{name}", "-o", str(tmp_path / name), "-x", "c",
                   "/dev/null", f"-L{tmp_path}", f"-Wl,-rpath-link,{tmp_path}", *needs]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
        (tmp_path / name.removesuffix(".1")).symlink_to(name)
    monkeypatch.setattr(system_libraries, "library_folders", lambda: (tmp_path,))
    shown = visible(["libtree.so.1"], PYTHON, MINOR)
    assert {"libtree.so.1", "libbranch.so.1", "libleaf.so.1"} <= shown
    assert "libleaf.so" not in shown


def test_what_is_no_library_brings_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_libraries, "library_folders", lambda: (tmp_path,))
    before = visible((), PYTHON, MINOR)
    for number, content in enumerate(
        (b"", b"GROUP ( libc.so.6 )", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 90)
    ):
        (tmp_path / f"lib{number}.so.1").write_bytes(content)
    names = [path.name for path in tmp_path.iterdir()]
    assert visible(names, PYTHON, MINOR) == before | set(names)


def test_every_library_of_lambda_may_be_seen() -> None:
    for minor, runtime in RUNTIMES.items():
        if minor in interpreters():
            assert libraries(runtime) <= visible(libraries(runtime), interpreters()[minor], minor)
