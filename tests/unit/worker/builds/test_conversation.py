"""Everything that a builder may say costs its own upload only, and ends with a code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import builders
import pytest
from build_talks import (
    RESOLVE,
    TALK,
    asking,
    broke_off,
    build,
    flood,
    hanging,
    of,
    raw,
    talking,
)
from builders import (
    FakeBuilder,
    FakeLauncher,
    RecordingListener,
    Script,
    built,
    services,
    services_of,
)

from auto_lambda.errors import AppError, Code
from builder.protocol.channel import MAX_MESSAGE
from worker.builds.conversation import BuilderServices


class Cancelled(Exception):
    """The result is not wanted any more."""


# ------------------------------------------------------------ builders that break off


@pytest.mark.parametrize("events", range(len(TALK) + 1))
def test_a_builder_that_dies_after_any_event(tmp_path: Path, events: int) -> None:
    assert "ended without a result" in broke_off(tmp_path, talking(events))


@pytest.mark.parametrize("events", range(len(TALK) + 1))
def test_a_builder_that_dies_within_any_event(tmp_path: Path, events: int) -> None:
    half = json.dumps({**[*TALK, built()][events], "descriptors": 0}).encode()[:20]
    assert "cut off" in broke_off(tmp_path, talking(events, raw(half)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0\xff" * 1000 + b"\n", "not JSON"),
        (b"Traceback (most recent call last):\n", "not JSON"),
        (b"[]\n", "not an object"),
        (b"{}\n", "files did not come"),
        (b'{"descriptors": 0}\n', "another shape"),
        (b'{"descriptors": 0, "event": "log", "text": NaN}\n', "not JSON"),
        (b'{"descriptors": 0, "event": "log", "text": "\\ud800"}\n', "not JSON"),
        (b'{"descriptors": 0, "event": "log", "text": "x", "more": 1}\n', "another shape"),
        (b'{"descriptors": 0, "event": "answer", "answer": 1}\n', "another shape"),
        (b'{"descriptors": 0, "event": "log", "text": "' + b"x" * 100_001 + b'"}\n', "another shape"),
        (b'{"descriptors": 0, "event": "done", "files": []}\n', "the result of an action"),
        (b'{"descriptors": 0, "event": "tool", "ask": 1, "name": "../../x", "python": "3.12"}\n', "another shape"),
        (json.dumps({**built(files=[]), "descriptors": 0}).encode() + b"\n", "another set of files"),
    ],
)
def test_a_builder_that_answers_something_else(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in broke_off(tmp_path, raw(data))


@pytest.mark.parametrize("steps", [["inspect"], ["unpack", "unpack"], ["unpack", "build"], ["prove"], [
    "unpack", "inspect", "build", "compile", "prove", "unpack"]], ids=str)  # fmt: skip
def test_steps_out_of_order(tmp_path: Path, steps: list[str]) -> None:
    def script(builder: FakeBuilder) -> None:
        for step in steps:
            builder.tell("step", step=step)

    assert "out of order" in broke_off(tmp_path, script)


def warn_much(builder: FakeBuilder) -> None:
    for _ in range(20):
        builder.tell("warning", text="x" * 100_000)


def warn_often(builder: FakeBuilder) -> None:
    for _ in range(2000):
        builder.tell("warning", text="x")


def recognise_often(builder: FakeBuilder) -> None:
    for _ in range(2000):
        builder.tell("recognised", framework="zappa", python="3.12", architecture="arm64")


@pytest.mark.parametrize("script", [warn_much, warn_often, recognise_often])
def test_a_receipt_is_not_flooded(tmp_path: Path, script: Script) -> None:
    assert "too many warnings" in broke_off(tmp_path, script)


def test_a_builder_that_asks_for_what_an_app_does_not_need(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action={"kind": "check", "inputs": {}})
        builder.hear()

    assert "may not ask for the action" in broke_off(tmp_path, script)


# ------------------------------------------------------------ too much, too late


def test_a_message_without_end(tmp_path: Path) -> None:
    assert f"more than {MAX_MESSAGE:,} bytes" in broke_off(tmp_path, flood(b"x" * 2**20))


def test_more_than_a_builder_may_send_in_all(tmp_path: Path) -> None:
    data = json.dumps({"event": "log", "text": "x" * 99_000, "descriptors": 0}).encode() + b"\n"
    assert "too much was sent" in broke_off(tmp_path, flood(data * 20))


def dripping(builder: FakeBuilder) -> None:
    while True:
        builder.connection.sendall(b" ")


def chattering(builder: FakeBuilder) -> None:
    while True:
        builder.tell("log", text="")


def half_a_line(builder: FakeBuilder) -> None:
    builder.connection.sendall(b"{")
    builder.hear()


@pytest.mark.parametrize("script", [hanging, dripping, chattering, talking(6, hanging), half_a_line])
def test_a_builder_that_takes_too_long(tmp_path: Path, script: Script) -> None:
    launcher = FakeLauncher(of(script))
    with pytest.raises(AppError) as raised:
        build(tmp_path, services_of(tmp_path, launcher, seconds=0.3))
    assert raised.value.code == Code.TOOK_TOO_LONG
    assert [one.ended for one in launcher.launched] == [1] * len(launcher.launched)


def test_an_action_that_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(AppError) as raised:
        build(tmp_path, services(tmp_path, of(asking, resolve=hanging), seconds=0.3))
    assert raised.value.code == Code.TOOK_TOO_LONG


FLOOD = """
import resource, sys
from pathlib import Path
from builders import RecordingListener
from build_talks import broke_off, flood, raw
RecordingListener.say = lambda *_: None
broke_off(Path(sys.argv[1]), raw(b"garbage\\n"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for data in (
    b"x" * 2**20,
    b'{"descriptors":0,"x":[' + b"[]," * 5_000_000 + b"1]}\\n",
    b'{"descriptors":0,"event":"built","template":{"x":[' + b"{}," * 66_000 + b"1]}}\\n",
    b'{"descriptors":0,"event":"log","text":"' + b"x" * 99_000 + b'"}\\n',
):
    broke_off(Path(sys.argv[1]), flood(data))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_workers_memory_stays_bounded(tmp_path: Path) -> None:
    support = Path(builders.__file__).parent
    path = os.pathsep.join([str(support), str(support.parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", FLOOD, tmp_path], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 200 * 1024  # kilobytes


# ------------------------------------------------------------ cancelling


@pytest.mark.parametrize("events", range(len(TALK)))
def test_a_build_that_is_cancelled_at_any_event(tmp_path: Path, events: int) -> None:
    heard = len([one for one in TALK[:events] if one["event"] != "ask"])
    listener = RecordingListener(Cancelled(), heard)
    launcher = FakeLauncher(of(talking(events, hanging)))
    with pytest.raises(Cancelled):
        build(tmp_path, services_of(tmp_path, launcher), listener)
    assert [one.ended for one in launcher.launched] == [1] * len(launcher.launched)


def test_a_build_that_is_cancelled_while_it_waits_for_another_ones_action(tmp_path: Path) -> None:
    begun, release = threading.Event(), threading.Event()
    waiting = threading.Event()

    def slow(builder: FakeBuilder) -> None:
        begun.set()
        release.wait(20)
        builder.done({"resolution.json": b"{}"})

    served = services(tmp_path, of(asking, resolve=slow))
    other = threading.Thread(target=build, args=(tmp_path, served))
    other.start()
    begun.wait(20)

    class BuildListener(RecordingListener):
        def check(self) -> None:
            if self.steps:
                waiting.set()
                raise Cancelled

    def asks_the_same(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action=RESOLVE)
        builder.tell("step", step="unpack")
        builder.hear()

    mine = BuilderServices(services(tmp_path, asks_the_same).spares, served.cache, served.machine)
    (tmp_path / "mine").mkdir()
    try:
        with pytest.raises(Cancelled):
            build(tmp_path / "mine", mine, BuildListener())
        assert not release.is_set()
    finally:
        release.set()
        other.join()


def test_a_step_that_is_not_wanted_ends_the_build(tmp_path: Path) -> None:
    class BuildListener(RecordingListener):
        def step(self, step: Any) -> None:
            raise Cancelled

    launcher = FakeLauncher(talking(end=hanging))
    with pytest.raises(Cancelled):
        build(tmp_path, services_of(tmp_path, launcher), BuildListener())
    assert [one.ended for one in launcher.launched] == [1]
