from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import descriptors
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.protocol import tree_files
from builder.protocol.channel import BadMessage
from builder.protocol.tree_files import CONTENT, INDEX, MAX_FILES, BadTree, read_tree, write_tree

NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


def files_in(folder: Path) -> dict[str, tuple[bytes, bool]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def read(folder: Path, index: bytes, content: bytes, into: str = "tree") -> Path:
    (folder / CONTENT).write_bytes(content)
    with (folder / CONTENT).open("rb") as file:
        read_tree(index, file.fileno(), folder / into)
    return folder / into


def refused(folder: Path, entries: Any, content: bytes = b"") -> str:
    index = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    with pytest.raises(BadTree) as raised:
        read(folder, index, content)
    return str(raised.value)


def fit(tree: Mapping[str, Any]) -> bool:
    """No file is a folder, too."""
    return not any(other.startswith(f"{path}/") for path in tree for other in tree)


@given(tree=st.dictionaries(PATHS, st.tuples(st.binary(max_size=50), st.booleans()), max_size=12).filter(fit))
@settings(deadline=None, max_examples=60)
def test_a_tree_comes_out_as_it_went_in(tree: dict[str, tuple[bytes, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        for path, (content, executable) in tree.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
            (source / path).chmod(0o700 if executable else 0o600)
        write_tree(source, Path(folder, INDEX), Path(folder, CONTENT))
        made = read(Path(folder), Path(folder, INDEX).read_bytes(), Path(folder, CONTENT).read_bytes())
        assert files_in(made) == tree


def test_modes_do_not_depend_on_the_umask_and_are_plain(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = read(tmp_path, b'[["a/b/x",1,true],["a/y",1,false]]', b"12")
    finally:
        os.umask(before)
    modes = {path.relative_to(made).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in made.rglob("*")}
    assert modes == {"a": 0o755, "a/b": 0o755, "a/b/x": 0o755, "a/y": 0o644}
    assert stat.S_IMODE(made.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "path",
    [
        "", ".", "..", "/", "/etc/x", "../x", "a/../../x", "a/..", "a/.", "./a", "a//b", "a/", "//x", "a\0b", "a\nb",
        "a\x1b[2J", "a\u202eb", "\u2028", "x" * 256, "é" * 128, "a/" * 500 + "x", "é/" * 400 + "x", "\x7f",
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_or_that_no_file_has(tmp_path: Path, path: str) -> None:
    assert "not taken" in refused(tmp_path, [["ok", 0, False], [path, 0, False]])
    assert [one.name for one in tmp_path.iterdir()] == [CONTENT]


def test_the_longest_paths_and_names_are_taken(tmp_path: Path) -> None:
    for number, path in enumerate(["x" * 255, "é" * 127, "a/" * 499 + "xx"]):
        made = read(tmp_path, json.dumps([[path, 0, False]]).encode(), b"", f"tree-{number}")
        assert list(files_in(made)) == [path]


@pytest.mark.parametrize("index", [b'[["\\ud800",0,false]]', b'[["\xed\xa0\x80",0,false]]', b'[["\xff",0,false]]'])
def test_a_path_that_is_no_text(tmp_path: Path, index: bytes) -> None:
    refused(tmp_path, index)


def test_a_path_that_stands_twice(tmp_path: Path) -> None:
    assert "twice" in refused(tmp_path, [["a", 0, False], ["a", 0, True]])


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), ("a/b", "a/b/c/d"), ("a/b/c", "x", "a")])
def test_a_file_that_is_a_folder_too(tmp_path: Path, paths: tuple[str, ...]) -> None:
    assert "folder, too" in refused(tmp_path, [[path, 0, False] for path in paths])


@pytest.mark.parametrize(
    ("sizes", "content"),
    [((1,), b""), ((0,), b"x"), ((1, 1), b"xxx"), ((-1, 2), b"x"), ((2, -1), b"x"), ((10**30,), b"x"), ((), b"x")],
)
def test_sizes_that_lie(tmp_path: Path, sizes: tuple[int, ...], content: bytes) -> None:
    refused(tmp_path, [[str(number), size, False] for number, size in enumerate(sizes)], content)
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize(
    "index",
    [
        b"", b"{}", b"null", b"[1]", b"[[]]", b'[["a"]]', b'[["a",0]]', b'[["a",0,false,1]]', b'[["a","0",false]]',
        b'[["a",0.0,false]]', b'[["a",0,0]]', b'[["a",NaN,false]]', b'[["a",null,false]]', b'[[1,0,false]]',
        b'{"a":[0,false]}', b"[" * 100_000, b'[["a",0,false]', b'[["a",0,false]]x', b"\xff", b'[["a",1e2,false]]',
    ],
)  # fmt: skip
def test_an_index_of_another_shape(tmp_path: Path, index: bytes) -> None:
    assert "another shape" in refused(tmp_path, index)


def test_more_files_than_are_taken(tmp_path: Path) -> None:
    assert "more than" in refused(tmp_path, [[str(number), 0, False] for number in range(MAX_FILES + 2)])


def test_more_folders_than_are_taken(tmp_path: Path) -> None:
    deep = "a/" * 400
    assert "files and folders" in refused(tmp_path, [[f"{number}/{deep}x", 0, False] for number in range(600)])


@pytest.mark.parametrize("what", [b"0,", b'"",', b'["",0,false],'])
def test_an_index_that_would_take_too_much_memory_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: bytes
) -> None:
    monkeypatch.setattr(tree_files, "_INDEX", None)
    assert "more than" in refused(tmp_path, b"[" + what * (4 * MAX_FILES + 1) + b"0]")


def test_content_that_shrinks_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = os.sendfile

    def sendfile(target: int, source: int, start: int, size: int) -> int:
        os.truncate(tmp_path / CONTENT, 2)
        return copy(target, source, start, size)

    monkeypatch.setattr(os, "sendfile", sendfile)
    assert "too early" in refused(tmp_path, [["a", 4, False], ["b", 4, False]], b"12345678")


@pytest.mark.parametrize("kind", ["folder", "device", "pipe", "write-only"])
def test_content_that_is_no_plain_file(tmp_path: Path, kind: str) -> None:
    paths = {"folder": "/", "device": "/dev/zero"}
    if kind == "pipe":
        descriptor, other = os.pipe()
        os.close(other)
    elif kind == "write-only":
        descriptor = os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT)
    else:
        descriptor = os.open(paths[kind], os.O_RDONLY)
    try:
        with pytest.raises(BadMessage, match="plain"):
            read_tree(b'[["a",0,false]]', descriptor, tmp_path / "tree")
    finally:
        os.close(descriptor)


def test_a_folder_that_is_there_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tree").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        read(tmp_path, b'[["a",0,false]]', b"")
    assert list((tmp_path / "elsewhere").iterdir()) == []
