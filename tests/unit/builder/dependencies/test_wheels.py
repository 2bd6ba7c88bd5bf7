from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from builder.dependencies.uv import BuildTarget
from builder.dependencies.wheels import BadWheel, check, fits, is_for_this_machine_only

TARGET = BuildTarget("3.12", "x86_64", "x86_64-manylinux_2_34", Path("/usr/bin/python3.12"))
OLD = BuildTarget("3.11", "arm64", "aarch64-manylinux_2_17", Path("/usr/bin/python3.11"))


@pytest.mark.parametrize(
    ("name", "new", "old"),
    [
        ("a-1-py3-none-any.whl", True, True),
        ("a-1-py2.py3-none-any.whl", True, True),
        ("a-1-py2-none-any.whl", False, False),
        ("a-1-cp312-cp312-manylinux_2_34_x86_64.whl", True, False),
        ("a-1-cp312-cp312-manylinux_2_35_x86_64.whl", False, False),
        ("a-1-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", True, False),
        ("a-1-cp39-abi3-manylinux1_x86_64.whl", True, False),
        ("a-1-cp313-cp313-manylinux_2_17_x86_64.whl", False, False),
        ("a-1-cp312-cp312-musllinux_1_2_x86_64.whl", False, False),
        ("a-1-cp312-cp312-linux_x86_64.whl", False, False),
        ("a-1-cp312-cp312-macosx_11_0_arm64.whl", False, False),
        ("a-1-cp311-cp311-manylinux2014_aarch64.whl", False, True),
        ("a-1-cp311-cp311-manylinux_2_28_aarch64.whl", False, False),
        ("a.whl", False, False),
    ],
)
def test_a_wheels_name_says_where_it_runs(name: str, new: bool, old: bool) -> None:
    assert (fits(name, TARGET), fits(name, OLD)) == (new, old)


def test_only_a_fresh_native_wheel_is_for_this_machine_only() -> None:
    assert is_for_this_machine_only("a-1-cp312-cp312-linux_x86_64.whl")
    assert not is_for_this_machine_only("a-1-py3-none-any.whl")
    assert not is_for_this_machine_only("a-1-cp312-cp312-manylinux_2_34_x86_64.whl")


def wheel(folder: Path, name: str = "a_b-1.0-py3-none-any.whl", **files: str) -> Path:
    content = {
        "a_b.py": "",
        "a_b-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: A.B\nVersion: 1.0\n",
        "a_b-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n",
        "a_b-1.0.dist-info/RECORD": "",
        **files,
    }
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in content.items():
            archive.writestr(member, text)
    return path


def test_a_sound_wheel_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    check(wheel(tmp_path), tmp_path / "look", name="a-b", version="1")
    assert not (tmp_path / "look").exists()


@pytest.mark.parametrize(
    ("name", "files", "wanted"),
    [
        ("a_b-1.0-py3-none-any.whl", {}, ("other", "1.0")),
        ("a_b-1.0-py3-none-any.whl", {}, ("a-b", "1.1")),
        ("a_b-1.0.whl", {}, (None, None)),
        ("a_b-2.0-py3-none-any.whl", {}, (None, None)),
        ("a_b-1.0-py3-none-any.whl", {"../../etc/passwd": "x"}, (None, None)),
        ("a_b-1.0-py3-none-any.whl", {"c-1.0.dist-info/METADATA": "Name: c\n"}, (None, None)),
        ("a_b-1.0-py3-none-any.whl", {"a_b-1.0.dist-info/METADATA": "Name: a_b\nVersion: ?\n"}, (None, None)),
    ],
)
def test_what_is_no_wheel_of_that_distribution_is_refused(
    tmp_path: Path, name: str, files: dict[str, str], wanted: tuple[str | None, str | None]
) -> None:
    with pytest.raises(BadWheel):
        check(wheel(tmp_path, name, **files), tmp_path / "look", name=wanted[0], version=wanted[1])
    assert not (tmp_path / "look").exists()


def test_neither_a_link_nor_rubbish_is_a_wheel(tmp_path: Path) -> None:
    link = tmp_path / "a_b-1.1-py3-none-any.whl"
    link.symlink_to(wheel(tmp_path))
    with pytest.raises(BadWheel, match="plain file"):
        check(link, tmp_path / "look")
    link.unlink()
    link.write_bytes(b"rubbish")
    with pytest.raises(BadWheel):
        check(link, tmp_path / "look")
