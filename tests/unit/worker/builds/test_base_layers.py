"""Layers are made on others of some of their packages only, and the trees of both are joined."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from build_talks import CODE, LAYER, LAYERED, build, of
from builders import FakeBuilder, FakeLauncher, Script, services_of

from auto_lambda.errors import AppError, Code
from builder.protocol import tree_files
from builder.protocol.tree_files import BadTree
from worker.builds import base_layers
from worker.builds.base_layers import candidates, link_tree

SIX, ATTRS, ZOPE = ["six==1", ["sha256:aa"]], ["attrs==2", ["sha256:bb"]], ["zope-event==3", ["sha256:cc"]]
SDIST = {"name": "zope-event", "sha256": "cc"}


def inputs(*pins: list[Any], **more: Any) -> dict[str, Any]:
    return {"format": "4", "python": "3.12", "options": [], "unwheeled": {}, "pins": list(pins), **more}


def found(tmp_path: Path, wanted: Mapping[str, Any], *kept: Any) -> list[Mapping[str, Any]]:
    paths = [tmp_path / f"{number}.json" for number in range(len(kept))]
    for path, one in zip(paths, kept, strict=True):
        path.write_text(one if isinstance(one, str) else json.dumps(one))
    return candidates([*paths, tmp_path / "gone.json"], wanted)


def test_the_one_with_the_most_packages_comes_first(tmp_path: Path) -> None:
    one, two = inputs(SIX), inputs(SIX, ATTRS)
    assert found(tmp_path, inputs(SIX, ATTRS, ZOPE), one, two) == [two, one]


@pytest.mark.parametrize(
    "other",
    [
        inputs(SIX, ZOPE),
        inputs(["six==1", ["sha256:other"]]),
        inputs(["six==2", ["sha256:aa"]]),
        inputs(SIX, python="3.13"),
        inputs(SIX, format="3"),
        inputs(SIX, options=["--no-binary :all:"]),
        inputs(SIX, slim=True),
        inputs(SIX, unwheeled={"six": SDIST}),
        {"pins": [SIX]},
        {},
        [],
        "{",
        inputs(SIX, pins=7),
        inputs(SIX, pins=["six"]),
    ],
    ids=str,
)
def test_no_package_more_no_other_file_and_nothing_else_that_differs(tmp_path: Path, other: Any) -> None:
    assert found(tmp_path, inputs(SIX, ATTRS), other) == []


def test_what_is_built_here_is_built_there(tmp_path: Path) -> None:
    wanted = inputs(SIX, ZOPE, unwheeled={"zope-event": SDIST})
    built = inputs(ZOPE, unwheeled={"zope-event": SDIST})
    assert found(tmp_path, wanted, inputs(ZOPE), built, inputs(SIX)) == [built, inputs(SIX)]


def test_a_slim_layer_is_made_anew(tmp_path: Path) -> None:
    assert found(tmp_path, inputs(SIX, ATTRS, slim=True), inputs(SIX, slim=True)) == []


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_trees_are_joined(tmp_path: Path) -> None:
    into = tree(tmp_path / "new", "python/zope.py", "python/pkg/new.py")
    link_tree(tree(tmp_path / "base", "python/six.py", "python/pkg/old.py", "python/deep/er/x.py"), into)
    names = {path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()}
    assert names == {
        "python/zope.py", "python/pkg/new.py", "python/six.py", "python/pkg/old.py", "python/deep/er/x.py",
    }  # fmt: skip
    assert (into / "python/six.py").read_text() == "python/six.py"
    assert {path.stat().st_mode & 0o777 for path in into.rglob("*") if path.is_dir()} == {0o755}


def test_a_base_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    with pytest.raises(BadTree, match="its base is gone"):
        link_tree(tmp_path / "evicted", tmp_path / "into")


@pytest.mark.parametrize("new", ["python/six.py", "python", "python/pkg", "python/six.py/x"])
def test_a_path_that_both_have_is_refused(tmp_path: Path, new: str) -> None:
    base = tree(tmp_path / "base", "python/six.py", "python/pkg/x.py")
    with pytest.raises(BadTree):
        link_tree(base, tree(tmp_path / "new", new))
    assert (base / "python/six.py").read_text() == "python/six.py"


@pytest.mark.parametrize(("module", "name"), [(tree_files, "MAX_FILES"), (base_layers, "_MOST_BYTES")])
def test_more_than_a_layer_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    monkeypatch.setattr(module, name, 3)
    with pytest.raises(BadTree, match="more than"):
        link_tree(tree(tmp_path / "base", "a", "b"), tree(tmp_path / "new", "c", "d"))


# ------------------------------------------------------------ in the talk with a builder


BOTH, SMALLER = inputs(SIX, ATTRS), inputs(SIX)


def asking_for_both(builder: FakeBuilder) -> None:
    """Ask for a layer, then for one of these packages and another, and tell what its tree has."""
    for number, wanted in enumerate((SMALLER, BOTH)):
        builder.tell("ask", ask=number, action={"kind": "layer", "inputs": wanted})
        answer = builder.hear().content
    if answer["problem"]:
        builder.tell("failed", problem=answer["problem"])
        return
    files = sorted(path.name for path in Path(answer["folder"], "tree").rglob("*") if path.is_file())
    builder.built({"code.zip": json.dumps(files).encode()})


def making(layer: Script, asked: list[Any]) -> Script:
    """Make the smaller layer, and the larger one as a script does."""

    def script(builder: FakeBuilder) -> None:
        asked.append(builder.request["base"])
        if builder.request["action"]["inputs"] == SMALLER:
            builder.done(LAYERED)
        else:
            layer(builder)

    return of(asking_for_both, layer=script)


def with_tree(name: str, on_base: bool) -> Script:
    index = json.dumps([[name, 3, False]]).encode()
    return lambda builder: builder.done({**LAYERED, "tree.index": index}, on_base=on_base)


def test_a_layer_on_a_base_has_the_files_of_both(tmp_path: Path) -> None:
    asked: list[Any] = []
    built = build(
        tmp_path, services_of(tmp_path, FakeLauncher(making(with_tree("python/attr.py", on_base=True), asked)))
    )
    assert json.loads(built.code.path.read_bytes()) == ["attr.py", "six.py"]
    assert [one and one["inputs"] for one in asked] == [None, SMALLER]
    assert (Path(asked[1]["folder"]) / "layer.zip").read_bytes() == LAYER


def test_a_builder_may_leave_the_base_alone(tmp_path: Path) -> None:
    launcher = FakeLauncher(making(with_tree("python/attr.py", on_base=False), []))
    assert json.loads(build(tmp_path, services_of(tmp_path, launcher)).code.path.read_bytes()) == ["attr.py"]


def test_a_layer_that_would_change_its_base_is_refused(tmp_path: Path) -> None:
    asked: list[Any] = []
    launcher = FakeLauncher(making(with_tree("python/six.py", on_base=True), asked))
    with pytest.raises(AppError, match="no tree") as raised:
        build(tmp_path, services_of(tmp_path, launcher))
    assert raised.value.code == Code.BUILDER_BROKE_OFF
    assert (Path(asked[1]["folder"]) / "tree/python/six.py").read_bytes() == b"six"


def test_a_base_that_was_not_given_is_none(tmp_path: Path) -> None:
    def alone(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action={"kind": "layer", "inputs": SMALLER})
        builder.tell("failed", problem=builder.hear().content["problem"])

    launcher = FakeLauncher(of(alone, layer=with_tree("python/six.py", on_base=True)))
    with pytest.raises(AppError, match="another result") as raised:
        build(tmp_path, services_of(tmp_path, launcher))
    assert raised.value.code == Code.BUILDER_BROKE_OFF


def test_a_spoilt_layer_is_no_base(tmp_path: Path) -> None:
    asked: list[Any] = []

    def spoiling(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action={"kind": "layer", "inputs": SMALLER})
        (Path(builder.hear().content["folder"]) / "layer.zip").write_bytes(b"spoilt")
        builder.tell("ask", ask=2, action={"kind": "layer", "inputs": BOTH})
        builder.hear()
        builder.built({"code.zip": CODE})

    def layer(builder: FakeBuilder) -> None:
        asked.append(builder.request["base"])
        builder.done(LAYERED)

    build(tmp_path, services_of(tmp_path, FakeLauncher(of(spoiling, layer=layer))))
    assert asked == [None, None]
