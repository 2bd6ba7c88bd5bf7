"""Finding and running Packer; a shell script stands for it, called through the real packer-py."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from ami import packer as under_test
from ami.packer import Packer, PackerCall
from ami.problems import BuildInterrupted, BuildTimedOut, NotStarted


@pytest.fixture
def said() -> list[str]:
    return []


def program(folder: Path, script: str) -> Path:
    path = folder / "packer"
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)
    return path


def packer(folder: Path, script: str) -> Packer:
    return Packer(program(folder, script), (1, 6, 6))


def test_options_reach_packer_as_it_wants_them(tmp_path: Path, said: list[str]) -> None:
    call = PackerCall("build", Path("t.pkr.hcl"), {"var": {"a": "1", "b": "x y"}, "on_error": "cleanup"})
    code, _ = packer(tmp_path, "printf '[%s]' \"$@\"; echo").run(call, said.append, seconds=20)
    assert code == 0
    assert said == ["[build][-machine-readable][-var][a=1][-var][b=x y][-on-error=cleanup][t.pkr.hcl]"]


def test_the_exit_code_and_what_was_said_come_back(tmp_path: Path, said: list[str]) -> None:
    script = "echo 1,b,error,broken; echo 1,,ui,error,told; echo on stderr >&2; exit 3"
    code, output = packer(tmp_path, script).run(PackerCall("build", Path("t")), said.append, seconds=20)
    assert (code, output.errors) == (3, ["broken"])
    assert sorted(said) == ["on stderr", "told"]


def test_lines_are_shown_while_it_runs(tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    seen: list[str] = []

    def show(line: str) -> None:
        seen.append(line)
        if line == "first":
            fifo.write_text("")  # blocks until the script reads it: it is still running

    packer(tmp_path, f"echo first; cat {fifo}; echo second").run(PackerCall("build", Path("t")), show, seconds=20)
    assert seen == ["first", "second"]


CLEANS_UP = "trap 'echo cleaned up; exit 1' INT; echo busy; while :; do sleep 0.05; done"


def test_when_the_time_is_over_packer_cleans_up(tmp_path: Path, said: list[str]) -> None:
    with pytest.raises(BuildTimedOut, match="Packer has removed"):
        packer(tmp_path, CLEANS_UP).run(PackerCall("build", Path("t")), said.append, seconds=1)
    assert said == ["busy", "cleaned up"]


def test_ctrl_c_lets_packer_clean_up(tmp_path: Path) -> None:
    said: list[str] = []

    def show(line: str) -> None:
        said.append(line)
        if line == "busy":
            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()

    with pytest.raises(BuildInterrupted, match="Packer has removed"):
        packer(tmp_path, CLEANS_UP).run(PackerCall("build", Path("t")), show, seconds=30)
    assert said == ["busy", "cleaned up"]


def test_a_packer_that_will_not_end_is_killed_and_said_so(tmp_path: Path, said: list[str]) -> None:
    with pytest.raises(BuildTimedOut, match="look for an instance"):
        packer(tmp_path, "trap '' INT; echo $$; while :; do sleep 0.05; done").run(
            PackerCall("build", Path("t")), said.append, seconds=1, grace=0.1
        )
    while running(int(said[0])):  # killed, and perhaps not yet buried; the test's own time limit bounds this
        time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_versions_decide_what_the_template_is(tmp_path: Path) -> None:
    old, new = Packer(tmp_path, (1, 6, 6)), Packer(tmp_path, (1, 11, 2))
    assert (old.template(tmp_path), old.needs_init()) == (tmp_path / "image.pkr.hcl", False)
    assert (new.template(tmp_path), new.needs_init()) == (tmp_path, True)


def test_the_version_is_read(tmp_path: Path) -> None:
    assert under_test.find(program(tmp_path, "echo Packer v1.11.2")).version == (1, 11, 2)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo Packer v1.6.5", "is Packer 1.6.5"),
        ("echo 0 0", "not HashiCorp's Packer"),
        ("exit 3", "not HashiCorp's Packer"),
    ],
)
def test_what_cannot_serve_is_refused(tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(NotStarted, match=told):
        under_test.find(program(tmp_path, script))


def test_none_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotStarted, match="no Packer here"):
        under_test.find()
