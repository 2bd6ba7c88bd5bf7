"""A build that is remembered comes back under other names, which are as long."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import remembered_builds
from e2e_stack import make_zip, saying
from remembered_builds import rename, replaced

from worker.builds.client import BuiltApp, CheckedFile


@dataclass
class Request:
    name: str

    def __repr__(self) -> str:
        return f"Request({self.name})"


@dataclass
class Listener:
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)


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


def test_who_is_slower_gets_what_all_others_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(remembered_builds.FOLDER, str(tmp_path / "kept"))
    zips = [tmp_path / f"{name}.zip" for name in ("app00000001", "app00000002")]
    for path in zips:
        text(tmp_path, path.stem, "word00000003")

    def build(_: object, request: Request, zip_path: Path, into: Path, listener: Listener) -> BuiltApp:
        listener.say(request.name)
        if request.name == "app00000002":  # meanwhile, the other one builds the same
            built(zips[0], Listener())
        (into / "code.zip").write_bytes(make_zip({"app.py": zip_path.stem}))
        told: Any = {"hash": hash(request.name)}
        return BuiltApp(told, CheckedFile(into / "code.zip", "", 0), None)

    def built(path: Path, listener: Listener) -> BuiltApp:
        into = tmp_path / f"into {path.stem}"
        into.mkdir()
        builds: Any = None
        return remembered_builds.build(builds, Request(path.stem), path, into, listener)

    monkeypatch.setattr(remembered_builds, "_build", build)
    listener = Listener()
    result: Any = built(zips[1], listener).result
    assert result == {"hash": hash("app00000001")}
    assert listener.said == ["app00000002"]
    with zipfile.ZipFile(tmp_path / "into app00000002/code.zip") as code:
        assert code.read("app.py") == b"app00000002"


def test_names_without_a_counterpart_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        replaced(b"", [b"app00000001"], [])
