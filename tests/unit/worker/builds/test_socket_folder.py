"""The folder of a worker's sockets goes with it, and that of one that was killed with the next."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from worker.builds.socket_folder import SocketFolder
from worker.builds.toolchain import IndexGate
from worker.index.hosts import Indexes

OTHER = """
import sys, time
from pathlib import Path
from worker.builds.socket_folder import SocketFolder
folder = SocketFolder(Path(sys.argv[1]))
print(folder.path, flush=True)
time.sleep(600)
"""


def _with_a_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "a.sock"))


def _old(folder: Path) -> None:
    os.utime(folder, (0, 0))


def test_what_a_killed_worker_left_is_removed_and_what_lives_is_not(tmp_path: Path) -> None:
    living = SocketFolder(tmp_path)
    with subprocess.Popen([sys.executable, "-c", OTHER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        left = Path(other.stdout.readline().strip())
        _with_a_socket(left)
        for folder in (left, living.path):
            _old(folder)
        SocketFolder(tmp_path).close()
        assert left.exists(), "its process lives"
        other.send_signal(signal.SIGKILL)
    SocketFolder(tmp_path).close()
    assert not left.exists()
    assert living.path.exists()
    living.close()
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_being_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "al-index-young").mkdir()
    SocketFolder(tmp_path).close()
    assert (tmp_path / "al-index-young").exists()


def test_nothing_but_sockets_is_removed(tmp_path: Path) -> None:
    (tmp_path / "al-index-other").mkdir()
    (tmp_path / "al-index-other" / "thesis.txt").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.sock").write_text("x")
    (tmp_path / "al-index-link").symlink_to(tmp_path / "elsewhere")
    _old(tmp_path / "al-index-other")
    _old(tmp_path / "elsewhere")
    SocketFolder(tmp_path).close()
    assert (tmp_path / "al-index-other" / "thesis.txt").exists()
    assert (tmp_path / "elsewhere" / "b.sock").exists()


def test_the_folder_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "al-index-theirs"
    left.mkdir()
    _old(left)
    with monkeypatch.context() as patch:
        uid = os.geteuid()
        patch.setattr(os, "geteuid", lambda: uid + 1)
        SocketFolder(tmp_path).close()
    assert left.exists()
    SocketFolder(tmp_path).close()
    assert not left.exists()


def test_a_gate_has_such_a_folder_unless_it_is_told_one(tmp_path: Path) -> None:
    gate = IndexGate(lambda: Indexes((), frozenset()))
    assert gate.folder.name.startswith("al-index-")
    gate.close()
    assert not gate.folder.exists()
    gate = IndexGate(lambda: Indexes((), frozenset()), tmp_path / "mine")
    assert gate.folder == tmp_path / "mine"
    gate.close()
