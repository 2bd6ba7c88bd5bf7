"""A real builder process, and a worker that does not keep to the protocol, or is gone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import builder
from auto_lambda.errors import AppError, Code
from auto_lambda.redact import HIDDEN, Redactor
from builder.protocol.channel import BadMessage, Channel
from builder.protocol.messages import Action
from builder.session import Session

TOOLCHAIN = {"interpreters": {}, "tools": [], "sandbox": "off", "region": "eu-west-1"}
CHECK = {"version": 1, "toolchain": TOOLCHAIN, "action": {"kind": "check", "inputs": {}}}
# Serves a request whose performance asks the worker, and waits for its answer.
ASKS = """
import sys
from builder import __main__ as program
from builder.protocol.messages import Action
def perform(action, parts, into, work, say, base):
    say("asking")
    parts.wheel_builder._actions.run(Action(kind="wheel", inputs={}), say)
program.perform = perform
sys.exit(program.main())
"""


@contextmanager
def started(folder: Path, code: str | None = None) -> Iterator[tuple[Channel, subprocess.Popen[bytes]]]:
    """A builder process, without walls."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "builder"]
    root = Path(builder.__path__[0]).parent
    with theirs:
        process = subprocess.Popen(
            command, stdin=theirs.fileno(), cwd="/",
            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "HOME": str(folder), "PYTHONPATH": str(root)},
        )  # fmt: skip
    with Channel(ours) as channel:
        try:
            yield channel, process
        finally:
            process.kill()
            process.wait()


def received(channel: Channel) -> Any:
    message = channel.receive(60)
    assert message
    message.close()
    return message.content


def test_a_request_is_served_and_the_process_ends_with_its_folder(tmp_path: Path) -> None:
    with started(tmp_path) as (channel, process):
        channel.send(CHECK)
        assert received(channel)["event"] == "done"
        assert channel.receive(60) is None
        assert process.wait(60) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_spare_that_is_not_needed_ends(tmp_path: Path) -> None:
    with started(tmp_path) as (channel, process):
        channel.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    "request_", [{}, {**CHECK, "version": 2}, {**CHECK, "more": 1}, {**CHECK, "action": {"kind": "rm", "inputs": {}}}]
)
def test_a_request_of_another_shape_is_a_trouble(tmp_path: Path, request_: dict[str, Any]) -> None:
    with started(tmp_path) as (channel, process):
        channel.send(request_)
        assert "no BuildRequest" in received(channel)["text"]
        assert process.wait(60) == 0


def test_a_request_without_its_zip_is_a_trouble(tmp_path: Path) -> None:
    app = {"name": "x", "stage": "dev", "python": "3.12", "pythons": ["3.12"], "today": "2026-01-01"}
    with started(tmp_path) as (channel, process):
        channel.send({"version": 1, "toolchain": TOOLCHAIN, "app": app})
        assert received(channel)["event"] == "trouble"
        assert process.wait(60) == 0


LONG = "\u6f22" * 150  # 450 bytes
HANDLER = "def lambda_handler(event, context): ...\n"
TOO_LONG = {
    "folder": {"auto-lambda.toml": "root = '" + "a/" * 5000 + "'"},
    "folder-of-one-name": {"auto-lambda.toml": "root = '" + "a" * 1500 + "'"},
    "path": {"auto-lambda.toml": "health_path = '/" + "a" * 5000 + "'"},
    "policy": {"lambda_function.py": HANDLER, "auto-lambda.toml": f"functions.app.policy = '{'a' * 300}.json'"},
    "module": {"lambda_function.py": f"import {LONG}\n{HANDLER}"},
    "chalice-policy": {
        "app.py": "",
        ".chalice/config.json": json.dumps({"stages": {"dev": {"autogen_policy": False, "iam_policy_file": LONG}}}),
    },
    "zappa-policy": {"zappa_settings.json": json.dumps({"dev": {"app_function": "a.b", "attach_policy": LONG}})},
    "zappa-module": {"zappa_settings.json": json.dumps({"dev": {"app_function": f"{LONG}.app"}})},
}


@pytest.mark.parametrize("files", TOO_LONG.values(), ids=TOO_LONG)
def test_what_is_too_long_is_the_uploaders(tmp_path: Path, files: dict[str, str]) -> None:
    app = {"name": "x", "stage": "dev", "python": "3.12", "pythons": ["3.12"], "today": "2026-01-01"}
    room, zip_path = tmp_path / "room", tmp_path / "app.zip"
    room.mkdir()
    with zipfile.ZipFile(zip_path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    with started(room) as (channel, _), zip_path.open("rb") as file:
        channel.send({"version": 1, "toolchain": TOOLCHAIN, "app": app}, [file.fileno()])
        while (told := received(channel))["event"] not in ("failed", "trouble"):
            pass
    assert told["event"] == "failed"
    assert told["problem"]["code"] == "bad-config"
    assert str(room) not in told["problem"]["message"]


@pytest.mark.parametrize("value", ["\ud800", [0] * 300_000, "x" * 17_000_000])
def test_a_question_that_a_worker_would_not_take_is_not_asked(value: Any) -> None:
    ours, theirs = map(Channel, socket.socketpair())
    with ours, theirs, pytest.raises((BadMessage, ValueError)):  # pydantic or the channel
        Session(theirs).run(Action(kind="expand", inputs={"sam": value}), lambda _: None)


def test_an_error_that_may_be_ours_is_told_to_the_operator_as_well() -> None:
    ours, theirs = map(Channel, socket.socketpair())
    with ours, theirs:
        Session(theirs).netted("Traceback ...\nValueError: x")
        assert received(ours)["text"] == "Traceback ...\nValueError: x"


def test_lone_surrogates_are_told_as_question_marks() -> None:
    ours, theirs = map(Channel, socket.socketpair())
    with ours, theirs:
        session = Session(theirs)
        session.warn("unknown setting \ud800x")
        session.failed(AppError(Code.BAD_CONFIG, "\udfff", hint="x"))
        assert received(ours)["text"] == "unknown setting ?x"
        assert received(ours)["problem"]["message"] == "?"


@pytest.mark.parametrize(
    "answer",
    [{"answer": 99, "folder": "/x"}, {"answer": -1}, {"answer": "1"}, {}, {"answer": 1, "more": 1}, b"garbage\n", b""],
    ids=str,
)
def test_an_answer_that_nobody_waits_for_ends_the_builder(tmp_path: Path, answer: Any) -> None:
    with started(tmp_path, ASKS) as (channel, process):
        channel.send(CHECK)
        assert received(channel) == {"event": "log", "text": "asking"}
        assert received(channel)["event"] == "ask"
        if isinstance(answer, dict):
            channel.send(answer)
        elif answer:
            channel._connection.sendall(answer)
        else:
            channel.shutdown()
        assert process.wait(60) == 1
        assert channel.receive(60) is None


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        ({"problem": {"code": "bad-config", "message": "m", "hint": "h"}}, "failed"),
        ({"trouble": "no index"}, "trouble"),
        ({}, "trouble"),
    ],
)
def test_an_answer_without_a_result_ends_the_build(tmp_path: Path, answer: dict[str, Any], event: str) -> None:
    with started(tmp_path, ASKS) as (channel, process):
        channel.send(CHECK)
        received(channel)
        channel.send({"answer": received(channel)["ask"], **answer})
        told = received(channel)
        assert told["event"] == event
        assert told.get("problem") == answer.get("problem")
        assert answer.get("trouble", "") in told.get("text", "")
        assert process.wait(60) == 0


def test_whatever_ends_a_build_is_told_without_secrets() -> None:
    ours, theirs = socket.socketpair()
    redact = Redactor()
    with Channel(ours) as worker, Channel(theirs) as channel:
        session = Session(channel, redact)
        redact.hide(["correct-horse-battery"])
        session.say("say correct-horse-battery")
        session.warn("warn correct-horse-battery")
        session.failed(AppError(Code.BAD_CONFIG, "message correct-horse-battery", hint="hint correct-horse-battery"))
        session.trouble("trouble correct-horse-battery")
        told = [str(received(worker)) for _ in range(4)]
    assert not any("horse" in one for one in told)
    assert all(HIDDEN in one for one in told)


# Serves a request whose build comes upon a value that no check has refused.
FAILS = """
import sys
from builder import __main__ as program
def build_app(*args, **kwargs):
    raise {error}
program.build_app = build_app
sys.exit(program.main())
"""


@pytest.mark.parametrize(
    ("error", "event"),
    [
        ("AttributeError('x')", "netted"), ("KeyError('x')", "netted"), ("TypeError('x')", "netted"),
        ("ValueError('x')", "netted"), ("OSError(36, 'x')", "netted"), ("OSError(28, 'x')", "trouble"),
        ("MemoryError()", "trouble"), ("RuntimeError('x')", "trouble"),
    ],
)  # fmt: skip
def test_what_only_a_value_can_cause_is_the_uploaders_and_the_operator_hears_of_it(
    tmp_path: Path, error: str, event: str
) -> None:
    app = {"name": "x", "stage": "dev", "python": "3.12", "pythons": ["3.12"], "today": "2026-01-01"}
    with started(tmp_path, FAILS.format(error=error)) as (channel, _), Path("/dev/null").open("rb") as file:
        channel.send({"version": 1, "toolchain": TOOLCHAIN, "app": app}, [file.fileno()])
        assert received(channel)["event"] == event
