"""Native code is judged by what Lambda has, not by what this machine has."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from binaries import TAGGED, extension, foreign, needing
from building import make_source
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from auto_lambda.runtimes import RUNTIMES
from builder.model import Built, Layer
from builder.proof import audit, elf
from builder.proof.audit import Package, check
from builder.proof.elf import BINARIES, Binary, read_tree
from builder.proof.lambda_libraries import libraries

PYTHON = RUNTIMES["3.12"]
MODULE = f"/opt/python/fast/_fast.{TAGGED}.so"


def binary(path: str, *needed: str, **more: Any) -> tuple[str, Binary]:
    facts: dict[str, Any] = {"machine": "x86_64", "soname": "", "paths": (), "glibc": (2, 17), **more}
    return path, Binary(path=path, needed=needed, **facts)


def judged(*binaries: tuple[str, Binary], minor: str = "3.12") -> tuple[str, ...]:
    package = Package(dict(binaries), {"/opt": Path("nowhere"), "/var/task": Path("nowhere")})
    return check(package, RUNTIMES[minor], "x86_64")


def refused(*binaries: tuple[str, Binary], minor: str = "3.12") -> AppError:
    with pytest.raises(AppError) as caught:
        judged(*binaries, minor=minor)
    return caught.value


def test_what_lambda_has_need_not_be_packed() -> None:
    assert (
        judged(binary(MODULE, "libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"))
        == ()
    )


@pytest.mark.parametrize("library", ["libGL.so.1", "libgomp.so.1", "libpq.so.5", "libX11.so.6", "libcrypt.so.1"])
def test_a_library_that_only_this_machine_may_have_is_missed(library: str) -> None:
    error = refused(binary(MODULE, library))
    assert error.code == Code.MISSING_LIBRARY
    assert f"needs {library}" in error.message


def test_advice_names_the_twin_that_brings_the_library() -> None:
    assert "opencv-python-headless" in refused(binary(MODULE, "libGL.so.1")).hint
    assert "psycopg2-binary" in refused(binary(MODULE, "libpq.so.5")).hint
    assert "vendor/lib/" in refused(binary(MODULE, "libmine.so.3")).hint


@pytest.mark.parametrize(
    ("place", "paths"),
    [
        ("/opt/python/fast.libs/libown.so.1", ("$ORIGIN/../fast.libs",)),
        ("/opt/python/fast.libs/libown.so.1", ("${ORIGIN}/../fast.libs",)),
        ("/var/task/lib/libown.so.1", ()),
        ("/opt/lib/libown.so.1", ()),
        ("/opt/python/elsewhere/libown.so.1", ()),  # loaded by the package before it is needed
    ],
)
def test_a_library_of_the_package_is_found(place: str, paths: tuple[str, ...]) -> None:
    assert judged(binary(MODULE, "libown.so.1", paths=paths), binary(place)) == ()


def test_a_librarys_own_needs_count_too() -> None:
    own = binary("/opt/lib/libown.so.1", "libfar.so.9")
    assert "libown.so.1" in refused(binary(MODULE, "libown.so.1"), own).message


def test_a_library_for_another_machine_does_not_help() -> None:
    own = binary("/opt/lib/libown.so.1", machine="arm64")
    assert refused(binary(MODULE, "libown.so.1"), own).code == Code.MISSING_LIBRARY


def test_the_ceiling_is_the_runtimes_own() -> None:
    newer = binary(MODULE.replace("312", "311"), glibc=(2, 28))
    assert judged(binary(MODULE, glibc=(2, 34))) == ()
    assert refused(binary(MODULE, glibc=(2, 35))).code == Code.GLIBC_TOO_NEW
    error = refused(newer, minor="3.11")
    assert "needs glibc 2.28" in error.message
    assert "has 2.26 (Amazon Linux 2)" in error.message


@pytest.mark.parametrize("name", ["_fast.so", "_fast.abi3.so", f"_fast.{TAGGED}.so", "_fast.cpython-312.so"])
def test_names_that_python_imports(name: str) -> None:
    assert judged(binary(f"/opt/python/{name}")) == ()


@pytest.mark.parametrize("tag", ["cpython-311-x86_64-linux-gnu", "cpython-312-x86_64-linux-musl", "pypy310-pp73"])
def test_names_that_this_python_does_not_import(tag: str) -> None:
    error = refused(binary(f"/opt/python/_fast.{tag}.so"))
    assert error.code == Code.WRONG_PYTHON_ABI
    assert tag in error.message


def test_one_fitting_build_of_several_is_enough() -> None:
    others = ["cpython-311-x86_64-linux-gnu", "cpython-312-aarch64-linux-gnu"]
    assert judged(binary(MODULE), *(binary(f"/opt/python/fast/_fast.{tag}.so") for tag in others)) == ()


def test_a_module_from_a_mac_is_told() -> None:
    error = refused(binary("/var/task/_fast.cpython-312-darwin.so", machine="macOS"))
    assert error.code == Code.WRONG_ARCHITECTURE
    assert "built for macOS, the function runs on x86_64" in error.message
    assert "the app's own files" in error.message


def test_what_python_does_not_import_only_warns() -> None:
    (warning,) = judged(binary("/opt/python/plugin/libextra.so", "libcuda.so.1"))
    assert "libcuda.so.1" in warning


def test_the_records_of_a_package_are_read_once_for_all_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def owners(site: Path, files: object) -> dict[str, str]:
        read.append(site)
        return {}

    monkeypatch.setattr(audit, "owners", owners)
    binaries = dict(binary(f"/opt/python/plugin/lib{number}.so", "libcuda.so.1") for number in range(50))
    package = Package(binaries, {"/opt": tmp_path, "/var/task": tmp_path / "nowhere"})
    assert len(check(package, PYTHON, "x86_64")) == 50
    assert read == [tmp_path / "python"]


def audited(folder: Path, code: Path) -> tuple[str, ...]:
    layer = Layer(folder, folder / "x.zip", "layers/1.zip", 0, 0)
    return audit.audit(Built(make_source(code), "", layer), code)


@pytest.fixture
def placed(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def place(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return place


def test_a_layer_is_read_when_it_is_made_and_not_again(
    placed: Callable[[str, bytes], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(f"layer/python/_fast.{TAGGED}.so", needing("libq.so.6"))
    code = placed("code/app.py", b"").parent
    facts = [asdict(one) for one in read_tree(tmp_path / "layer")]
    placed(BINARIES, json.dumps(facts).encode())
    read: list[Path] = []

    def look(folder: Path) -> tuple[()]:
        read.append(folder)
        return ()

    monkeypatch.setattr(audit, "read_tree", look)
    with pytest.raises(AppError, match=r"libq\.so\.6"):
        audited(tmp_path / "layer", code)
    assert read == [code]


@pytest.mark.parametrize("note", ["", "{", "[1]", '[{"path": 1}]', '[{"path": "python/x.so", "more": 1}]', "1"])
def test_a_layer_with_a_spoiled_note_is_read_again(
    placed: Callable[[str, bytes], Path], tmp_path: Path, note: str
) -> None:
    placed(f"layer/python/_fast.{TAGGED}.so", needing("libq.so.6"))
    code = placed("code/app.py", b"").parent
    placed(BINARIES, note.encode())
    with pytest.raises(AppError, match=r"libq\.so\.6"):
        audited(tmp_path / "layer", code)


def test_vendored_code_is_audited_as_well(placed: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    placed("layer/python/x.py", b"")
    code = placed(f"code/_fast.{TAGGED}.so", foreign()).parent
    with pytest.raises(AppError, match="among the app's own files"):
        audited(tmp_path / "layer", code)


def test_an_untagged_library_that_is_no_module_may_be_for_another_machine(
    placed: Callable[[str, bytes], Path], tmp_path: Path
) -> None:
    placed("layer/python/attach_arm.so", foreign())
    assert audited(tmp_path / "layer", placed("code/app.py", b"").parent) == ()


@given(st.data())
def test_no_damage_to_a_file_gets_past_the_reader(data: st.DataObject) -> None:
    whole = bytearray(extension())
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(4, 4096))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(64, len(whole))) :]
    assert isinstance(elf.parse(BytesIO(whole), "x.so"), Binary)


def test_what_is_no_binary_is_passed_over(placed: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    placed("tree/linker.so", b"INPUT(-lm)")
    placed("tree/empty.so", b"")
    (tmp_path / "tree" / "link.so").symlink_to("/usr/lib")
    assert read_tree(tmp_path / "tree") == ()


def test_each_runtime_has_its_own_systems_libraries() -> None:
    assert "libssl.so.3" in libraries(PYTHON)
    assert "libssl.so.10" in libraries(RUNTIMES["3.11"])
    assert "libpython3.12.so.1.0" in libraries(PYTHON)
