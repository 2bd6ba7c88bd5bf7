"""Builders that are processes: started by the worker, and ended with all that they have started."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build_talks import TALK, build
from builders import RecordingListener, processes_of, services_of

from auto_lambda.errors import AppError, Code
from worker.builds.launcher import DirectLauncher, Walls

# It says who it is by a log line, tells so many events, leaves processes behind, and hangs, deaf to signals.
HANGS = f"""
import json, os, signal, socket, sys, time
connection = socket.socket(fileno=os.dup(0))
connection.recv(1_000_000)
def tell(**content):
    connection.sendall(json.dumps({{**content, "descriptors": 0}}).encode() + b"\\n")
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
tell(event="log", text=f"user {{os.getuid()}}")
for content in {TALK!r}[:int(sys.argv[1])]:
    tell(**content)
END
time.sleep(3600)
"""
ROOT = os.geteuid() == 0


class Cancelled(Exception):
    """The result is not wanted any more."""


class Builders:
    """A launcher of real processes that remembers their users, each of whom is another where we are root."""

    def __init__(self, folder: Path, code: str, *arguments: str) -> None:
        folder.mkdir()
        self.folder = folder
        self._launcher = DirectLauncher(folder, (), program=(sys.executable, "-I", "-c", code, *arguments))
        self.users: list[int] = []

    def launch(self) -> Any:
        running: Any = self._launcher.launch()
        self.users.append(running.room.stat().st_uid)
        return running


@pytest.fixture(autouse=True)
def _no_room_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert list((tmp_path / "rooms").iterdir()) == []


def left(launcher: Builders) -> list[str]:
    assert launcher.users
    return [found for user in launcher.users for found in processes_of(user)] if ROOT else []


@pytest.mark.parametrize("events", [0, 1, 4, len(TALK)])
def test_a_build_that_is_cancelled_leaves_no_process(tmp_path: Path, events: int) -> None:
    listener = RecordingListener(Cancelled(), 1 + len([one for one in TALK[:events] if one["event"] != "ask"]))
    launcher = Builders(tmp_path / "rooms", HANGS.replace("END", ""), str(events))
    with pytest.raises(Cancelled):
        build(tmp_path, services_of(tmp_path, launcher), listener)
    assert left(launcher) == []


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os._exit(0)", Code.BUILDER_BROKE_OFF), ("os.kill(os.getpid(), 9)", Code.BUILDER_BROKE_OFF),
        # What it has left behind keeps the connection open.
        ("connection.close(); os.close(0)", Code.TOOK_TOO_LONG), ("connection.sendall(b'{')", Code.TOOK_TOO_LONG),
    ],
)  # fmt: skip
def test_a_builder_that_dies_leaves_no_process(tmp_path: Path, end: str, code: Code) -> None:
    listener = RecordingListener()
    launcher = Builders(tmp_path / "rooms", HANGS.replace("END", end), "1")
    with pytest.raises(AppError) as raised:
        build(tmp_path, services_of(tmp_path, launcher, seconds=1 if code == Code.TOOK_TOO_LONG else 60), listener)
    assert raised.value.code == code
    assert left(launcher) == []


def test_its_last_words_are_bounded(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('x' * 50_000 + 'the end'); sys.stderr.flush()"
    launcher = Builders(tmp_path / "rooms", code)
    running = launcher.launch()
    assert running.channel.receive(60) is None
    said = running.end()
    assert said.endswith("the end")
    assert len(said) <= 4000


def test_a_builder_that_is_ended_at_once(tmp_path: Path) -> None:
    launcher = Builders(tmp_path / "rooms", "import time; time.sleep(3600)")
    for _ in range(5):
        running = launcher.launch()
        assert running.alive()
        running.end()
        assert not running.alive()


def test_the_walls_of_each_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rooms").mkdir()
    assert DirectLauncher(tmp_path, ()).walls == Walls(isolated=True, own_user=ROOT)
    assert DirectLauncher(tmp_path, (), isolate=False).walls == Walls(isolated=False, own_user=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert DirectLauncher(tmp_path, ()).walls.missing() == (
        "builders run without isolation, under the worker's own user"
    )


def test_an_unisolated_builder_ends_with_its_worker(tmp_path: Path) -> None:
    (tmp_path / "rooms").mkdir()
    launcher: Any = DirectLauncher(
        tmp_path / "rooms", (), isolate=False, program=(sys.executable, "-I", "-c", "import time; time.sleep(3600)")
    )
    running = launcher.launch()
    running.end()
    assert running.process.returncode == -9


def test_without_namespaces_what_has_left_its_session_is_ended_too(tmp_path: Path) -> None:
    away = "os.setsid(); os.execv('/bin/sleep', ['sleep', '4711'])"
    code = f"import os, time\nif os.fork() == 0:\n    {away}\ntime.sleep(600)"
    launcher = DirectLauncher(tmp_path, (), isolate=False, program=(sys.executable, "-I", "-c", code))
    running: Any = launcher.launch()
    mark = os.fsencode(running.room)

    def strays() -> list[str]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (place / "environ").read_bytes() and b"4711" in (place / "cmdline").read_bytes():
                    found.append(place.name)
        return found

    while not strays():
        time.sleep(0.05)
    running.end()
    for _ in range(100):
        if not strays():
            break
        time.sleep(0.05)
    assert strays() == []
    (tmp_path / "rooms").mkdir()


def test_the_number_of_a_dead_builder_stays_its_own_until_its_end(tmp_path: Path) -> None:
    launcher = Builders(tmp_path / "rooms", "pass")
    running = launcher.launch()
    assert running.channel.receive(60) is None
    while running.alive():
        time.sleep(0.05)
    assert Path(f"/proc/{running.process.pid}").exists()
    running.end()
    assert not Path(f"/proc/{running.process.pid}").exists()
