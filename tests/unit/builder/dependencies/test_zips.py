from __future__ import annotations

import errno
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_lambda.files import remove_tree
from builder.dependencies.zips import UnsafeTree, check_plain, write_zip

NAMES = st.text("abcXYZ09._-é ", min_size=1, max_size=6).filter(lambda name: name.strip(".") and name == name.strip())
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=60), max_size=6)


def fill(tree: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """Write what can be written: a name that is taken as a folder, or the other way round, is left out."""
    tree.mkdir(parents=True)
    written = {}
    for name, data in files.items():
        path = tree / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError:
            continue
        written[name] = data
    return written


@settings(max_examples=40, deadline=None)
@given(files=TREES, order=st.randoms(use_true_random=False))
def test_the_order_of_writing_times_and_umask_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], order: object
) -> None:
    work = tmp_path_factory.mktemp("zips")
    written = fill(work / "one", files)
    previous = os.umask(0o077)
    try:
        shuffled = list(written)
        order.shuffle(shuffled)  # type: ignore[attr-defined]
        fill(work / "elsewhere" / "two", {name: written[name] for name in shuffled})
    finally:
        os.umask(previous)
    for path in (work / "elsewhere" / "two").rglob("*"):
        os.utime(path, (1, 1))
    for path in sorted((work / "one").rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()  # left by a name that could not be written
    one = write_zip(work / "one", work / "one.zip")
    assert one == write_zip(work / "elsewhere" / "two", work / "two.zip")
    with zipfile.ZipFile(work / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == written
    shutil.rmtree(work)


def test_modes_are_normalised_and_the_executable_bit_survives(tmp_path: Path) -> None:
    fill(tmp_path / "tree", {"run": b"#!", "data": b""})
    (tmp_path / "tree" / "run").chmod(0o4700)
    (tmp_path / "tree" / "data").chmod(0o600)
    (tmp_path / "tree" / "empty").mkdir()
    write_zip(tmp_path / "tree", tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert modes == {"data": 0o644, "empty/": 0o755, "run": 0o755}


@pytest.mark.parametrize("target", ["/etc/passwd", "data", "/etc", "nowhere"])
def test_links_are_refused_wherever_they_point(tmp_path: Path, target: str) -> None:
    fill(tmp_path / "tree", {"data": b"x"})
    (tmp_path / "tree" / "link").symlink_to(target)
    with pytest.raises(UnsafeTree, match="link"):
        write_zip(tmp_path / "tree", tmp_path / "out.zip")


def test_a_fifo_is_refused_and_does_not_block(tmp_path: Path) -> None:
    fill(tmp_path / "tree", {})
    os.mkfifo(tmp_path / "tree" / "pipe")
    with pytest.raises(UnsafeTree, match="pipe"):
        write_zip(tmp_path / "tree", tmp_path / "out.zip")


@pytest.mark.parametrize("look", [check_plain, lambda tree: write_zip(tree, tree.parent / "out.zip")])
def test_folders_deeper_than_any_path_are_refused(tmp_path: Path, look: Callable[[Path], object]) -> None:
    (tmp_path / "tree").mkdir()
    back = os.open(".", os.O_PATH)
    os.chdir(tmp_path / "tree")
    try:
        for _ in range(30):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    finally:
        os.fchdir(back)
        os.close(back)
    with pytest.raises(UnsafeTree, match="cannot be read: File name too long"):
        look(tmp_path / "tree")
    remove_tree(tmp_path / "tree")


def test_a_name_that_no_zip_can_hold_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "tree", {})
    (tmp_path / "tree" / os.fsdecode(b"\xff")).touch()
    with pytest.raises(UnsafeTree, match="not UTF-8"):
        write_zip(tmp_path / "tree", tmp_path / "out.zip")


def test_what_may_not_be_read_is_refused_and_a_failing_disk_is_not_the_trees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "tree", {"secret.py": b""})

    def failing(number: int) -> Callable[..., int]:
        def open_(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        return open_

    monkeypatch.setattr(os, "open", failing(errno.EACCES))  # permissions mean nothing to root
    with pytest.raises(UnsafeTree, match=r"secret\.py cannot be read: Permission denied"):
        write_zip(tmp_path / "tree", tmp_path / "out.zip")
    monkeypatch.setattr(os, "open", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_zip(tmp_path / "tree", tmp_path / "out.zip")


def test_more_files_than_are_compressed_ahead_come_in_order_and_small(tmp_path: Path) -> None:
    files = {f"pkg/{number:03}.py": b"line\n" * number for number in range(200)}
    fill(tmp_path / "tree", files)
    write_zip(tmp_path / "tree", tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == sorted(files)
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in files} == files
    assert (tmp_path / "out.zip").stat().st_size < sum(map(len, files.values())) / 2
