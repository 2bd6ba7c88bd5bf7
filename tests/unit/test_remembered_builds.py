"""A build that is remembered comes back under other names, which are as long."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import remembered_builds
from e2e_stack import make_zip, saying
from remembered_builds import rename, replaced


def text(folder: Path, app: str, word: str) -> bytes:
    path = folder / f"{app}.zip"
    path.write_bytes(make_zip({**saying(word), "names.txt": f"{app} {word}"}))
    return remembered_builds.zip_text(path)


def test_zips_that_differ_by_their_names_are_the_same_and_others_are_not(tmp_path: Path) -> None:
    pairs = ("app00000001", "word00000002"), ("app00000003", "word00000004")
    places = [b"1", b"2"]
    plain = [replaced(text(tmp_path, *pair), [one.encode() for one in pair], places) for pair in pairs]
    assert plain[0] == plain[1]
    assert replaced(text(tmp_path, "app00000005", "other"), [b"app00000005"], [b"1"]) != plain[0]


def test_other_names_are_put_into_all_files_and_nothing_else_changes(tmp_path: Path) -> None:
    source, target = tmp_path / "old.zip", tmp_path / "new.zip"
    source.write_bytes(make_zip({"run.sh": "echo app00000001 word00000002 app00000009"}, ["run.sh"]))
    rename(source, target, [b"app00000001", b"word00000002"], [b"app00000003", b"word00000004"])
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target) as new:
        assert new.read("run.sh") == b"echo app00000003 word00000004 app00000009"
        assert new.getinfo("run.sh").external_attr == old.getinfo("run.sh").external_attr


def test_names_without_a_counterpart_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        replaced(b"", [b"app00000001"], [])
