"""A layer that is made on an earlier one is, byte by byte, the one that is made from nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from building import make_parts

from auto_lambda.model import BuildLog
from builder.dependencies import layer as module
from builder.dependencies.layer import META, ZIP, Layers, base_of, layer_action
from builder.dependencies.lock import Lock
from builder.dependencies.reuse.base_layer import BaseLayer
from builder.dependencies.sdists import Pin
from builder.dependencies.size.quota import MAX_BYTES
from builder.dependencies.uv import BuildTarget
from builder.proof.elf import BINARIES
from builder.sandbox.sandbox import Command, Outcome, PlainSandbox

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
TARGET = BuildTarget(MINOR, "x86_64", "x86_64-manylinux_2_34", Path(sys.executable).resolve())
FILES: Mapping[str, Mapping[str, str]] = {
    "six": {"six.py": "x = 1\n", "six-1.dist-info/RECORD": "six.py,,\n", "bin/six": "#!/home/python\n"},
    "attrs": {"attr/__init__.py": "y = 2\n", "attr/größe.py": "z = 3\n", "bin/tool": "\x7f"},
    "zope": {"zope/interface.py": "import six\n", "zope-1.dist-info/RECORD": "zope/interface.py,,\n"},
    "clash": {"six.py": "x = 2\n"},
    "under": {"six.py/inside.py": "x = 2\n"},
    "data": {"data/only.json": "{}"},
}  # fmt: skip


@dataclass
class FakeUv:
    """Installs the packages that a list names; compiles with a real interpreter, unless that is to crash."""

    crashes: bool = False
    installed: list[str] = field(default_factory=list)

    def run(self, command: Command, say: BuildLog) -> Outcome:
        if "compileall" in command.argv:
            return Outcome(-11, "", 0.1) if self.crashes else PlainSandbox().run(command, say)
        site = Path(command.argv[command.argv.index("--target") + 1])
        listed = (command.cwd / command.argv[command.argv.index("--requirements") + 1]).read_text()
        for name in [line.partition("==")[0] for line in listed.splitlines() if "==" in line]:
            self.installed.append(name)
            for path, text in FILES[name].items():
                (site / path).parent.mkdir(parents=True, exist_ok=True)
                (site / path).write_text(text)
                (site / path).chmod(0o755 if path == "bin/tool" else 0o644)
        return Outcome(0, "", 0.1)


def lock(*names: str) -> Lock:
    return Lock(tuple(Pin(f"{name}==1", (f"sha256:{name}",)) for name in sorted(names)))


def made(folder: Path, wanted: Lock, on: Lock | None = None, uv: FakeUv | None = None) -> tuple[Path, bool]:
    """Make a layer, perhaps on another one; return its folder, and whether it was."""
    into, work = folder / "into", folder / "work"
    into.mkdir(parents=True)
    work.mkdir()
    base = None
    if on:
        below, _ = made(folder / "base", on)
        base = base_of(below, layer_action(on, TARGET).inputs)
        assert base
    layers: Layers = make_parts(folder / "actions", uv or FakeUv()).layers
    return into, layers.make(wanted, TARGET, into, work, lambda _: None, base)


def is_like_new(tmp_path: Path, into: Path, wanted: Lock) -> bool:
    new, _ = made(tmp_path / "new", wanted)
    return all((into / name).read_bytes() == (new / name).read_bytes() for name in (ZIP, META, BINARIES))


@pytest.mark.parametrize("on", [("six",), ("attrs", "zope"), ("attrs", "six")], ids=" ".join)
def test_it_has_the_same_bytes_and_only_what_is_new_is_installed(tmp_path: Path, on: tuple[str, ...]) -> None:
    wanted, uv = lock("six", "attrs", "zope"), FakeUv()
    into, on_base = made(tmp_path, wanted, lock(*on), uv)
    assert on_base
    assert sorted([*uv.installed, *on]) == ["attrs", "six", "zope"]
    assert is_like_new(tmp_path, into, wanted)
    names = {path.relative_to(into).as_posix() for path in (into / "tree").rglob("*")}
    assert ("tree/python/six.py" in names) == ("six" not in on), "the tree has only what is new"


def test_for_a_python_whose_bytecode_depends_on_what_is_compiled_before_all_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "TARGET", replace(TARGET, python="3.10"))
    uv = FakeUv()
    _, on_base = made(tmp_path, lock("six", "zope"), lock("six"), uv)
    assert not on_base
    assert uv.installed == ["six", "zope"]


@pytest.mark.parametrize("name", ["clash", "under"])
def test_packages_that_share_a_path_have_no_base(tmp_path: Path, name: str) -> None:
    if name == "under":  # it could not be installed from nothing either, but its files are looked at first
        assert not base_with("six", tmp_path).has_room_for(["python/six.py/inside.py"])
        return
    into, on_base = made(tmp_path, lock("six", name), lock("six"))
    assert not on_base
    assert is_like_new(tmp_path, into, lock("six", name))


def test_an_empty_folder_might_not_be_empty_together_with_a_base(tmp_path: Path) -> None:
    base = base_with("six", tmp_path)
    assert base.has_room_for(["python/new.py"])
    assert not base.has_room_for(["python/new.py", "python/empty/"])


def base_with(name: str, tmp_path: Path) -> BaseLayer:
    folder, _ = made(tmp_path / "below", lock(name))
    found = base_of(folder, layer_action(lock(name), TARGET).inputs)
    assert found
    return found


def test_where_bytecode_would_be_left_out_all_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = lock("six", "zope")
    whole = json.loads((made(tmp_path / "whole", wanted)[0] / META).read_text())["tree_bytes"]
    monkeypatch.setattr(module, "ROOM_FOR_CODE", MAX_BYTES - whole + 1)
    into, on_base = made(tmp_path, wanted, lock("six"))
    assert not on_base
    assert is_like_new(tmp_path, into, wanted)


def test_where_the_compiler_crashes_all_is_made_anew(tmp_path: Path) -> None:
    uv = FakeUv(crashes=True)
    into, on_base = made(tmp_path, lock("six", "zope"), lock("six"), uv)
    assert not on_base
    assert uv.installed == ["zope", "six", "zope"]
    assert not list((into / "tree").rglob("*.pyc"))


def test_a_layer_without_bytecode_is_no_base(tmp_path: Path) -> None:
    folder, _ = made(tmp_path, lock("data"))
    assert base_of(folder, layer_action(lock("data"), TARGET).inputs) is None


@pytest.mark.parametrize("spoilt", [b"", b"PK", None], ids=["empty", "cut off", "gone"])
def test_a_spoilt_layer_is_no_base(tmp_path: Path, spoilt: bytes | None) -> None:
    folder, _ = made(tmp_path, lock("six"))
    (folder / ZIP).unlink()
    if spoilt is not None:
        (folder / ZIP).write_bytes(spoilt)
    assert base_of(folder, layer_action(lock("six"), TARGET).inputs) is None
