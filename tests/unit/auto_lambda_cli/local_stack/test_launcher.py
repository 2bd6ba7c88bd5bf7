"""What the embedded AWS does by itself, apart from the emulator."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from auto_lambda_cli.local_stack import launcher


def unpacked(tmp_path: Path, names: list[str]) -> set[str]:
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as archive:
        for name in names:
            archive.writestr(name, name)
    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        launcher.unpack(tmp_path / "layer.zip", archive.infolist(), tmp_path / "around" / "layer")
    return {path.relative_to(tmp_path / "around").as_posix() for path in (tmp_path / "around").rglob("*")}


@pytest.mark.parametrize("worth_sharing", [0, 1_000_000], ids=["shared", "alone"])
def test_a_layer_is_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth_sharing: int) -> None:
    monkeypatch.setattr(launcher, "WORTH_SHARING", worth_sharing)
    found = unpacked(tmp_path, ["python/a.py", "python/deep/b.py", "python/deep/er/c.py", "empty/", "python/empty/"])
    assert found == {
        "layer", "layer/empty", "layer/python", "layer/python/a.py", "layer/python/deep", "layer/python/deep/b.py",
        "layer/python/deep/er", "layer/python/deep/er/c.py", "layer/python/empty",
    }  # fmt: skip


@pytest.mark.parametrize("worth_sharing", [0, 1_000_000], ids=["shared", "alone"])
def test_programs_stay_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth_sharing: int) -> None:
    monkeypatch.setattr(launcher, "WORTH_SHARING", worth_sharing)
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as archive:
        for name, mode in (("bin/tool", 0o100755), ("bin/text", 0o100644), ("bin/", 0o40755)):
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, b"")
    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        launcher.unpack(tmp_path / "layer.zip", archive.infolist(), tmp_path / "layer")
    assert [os.access(tmp_path / "layer" / "bin" / name, os.X_OK) for name in ("tool", "text")] == [True, False]


@pytest.mark.parametrize("name", ["../beside/x.py", "/absolute/x.py", "python/../../beside/x.py"])
def test_nothing_is_made_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(launcher, "WORTH_SHARING", 0)
    found = unpacked(tmp_path, ["python/a.py", name])
    assert all(path.partition("/")[0] == "layer" for path in found)
    assert not Path("/absolute").exists()
