"""Work folders do not stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from worker.workdir import workroom


def test_a_folder_is_empty_and_gone_afterwards_whatever_was_put_into_it(tmp_path: Path) -> None:
    with workroom(tmp_path / "work") as room:
        with room.folder() as folder:
            assert list(folder.iterdir()) == []
            (folder / "deep").mkdir()
            (folder / "deep" / "file").touch()
            (folder / "out").symlink_to(tmp_path)
            (folder / "deep").chmod(0)
        assert not folder.exists()
    assert tmp_path.exists()


def test_two_folders_are_two(tmp_path: Path) -> None:
    with workroom(tmp_path) as room, room.folder() as one, room.folder() as other:
        assert one != other


def test_nothing_is_left_after_the_worker(tmp_path: Path) -> None:
    with workroom(tmp_path) as room, room.folder():
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_a_killed_worker_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    killed = (
        "import os, pathlib, sys; from worker.workdir import workroom\n"
        "with workroom(pathlib.Path(sys.argv[1])) as room, room.folder() as folder:\n"
        "    (folder / 'big').touch(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", killed, tmp_path], check=False, env={**os.environ})
    assert list(tmp_path.glob("*/*/big"))
    with workroom(tmp_path):
        assert not list(tmp_path.glob("*/*/big"))


def test_the_rooms_of_living_workers_are_left_alone(tmp_path: Path) -> None:
    with workroom(tmp_path) as one, one.folder() as folder, workroom(tmp_path):
        assert folder.exists()
