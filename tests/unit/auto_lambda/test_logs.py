"""One JSON object a line, with what was bound, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from auto_lambda import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:], root.level = before, level


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_event_is_one_json_line_with_what_is_bound(stream: io.StringIO) -> None:
    logs.configure("info", stream)
    log = logs.get("daemon")
    with logs.bound(upload="dev/shop@v1"):
        log.info("started", key="a\nb")
    log.info("idle")
    first, second = lines(stream)
    assert (first["event"], first["upload"], first["part"], first["level"]) == (
        "started",
        "dev/shop@v1",
        "daemon",
        "info",
    )
    assert "upload" not in second
    assert first["timestamp"].endswith("Z")


def test_exceptions_are_part_of_the_line(stream: io.StringIO) -> None:
    logs.configure("info", stream)
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logs.get("x").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: what went wrong" in line["exception"]


def test_lesser_levels_are_left_out(stream: io.StringIO) -> None:
    logs.configure("warning", stream)
    logs.get("x").info("quiet")
    assert stream.getvalue() == ""


def test_secrets_of_the_environment_are_hidden(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdefghijklmnop")
    logs.configure("info", stream)
    logs.get("x").info("call", error="signed with abcdefghijklmnop")
    assert "abcdefghijklmnop" not in stream.getvalue()


def test_libraries_speak_json_too_and_only_when_it_matters(stream: io.StringIO) -> None:
    logs.configure("info", stream)
    logging.getLogger("botocore").warning("slow %s", "down")
    logging.getLogger("botocore").info("chatter")
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("slow down", "warning")


def test_a_person_at_a_terminal_gets_lines_to_read(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "isatty", lambda: True)
    logs.configure("info", stream)
    logs.get("x").info("hello")
    assert "hello" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_person_at_a_terminal_gets_no_commands_for_it(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "isatty", lambda: True)
    logs.configure(stream=stream)
    logs.get("x").info("dropped", key="a\x1b]0;pwned\x07\u202eb")
    assert "ab" in stream.getvalue()
    assert not {"\x07", "\u202e"} & set(stream.getvalue())
    assert "pwned" not in stream.getvalue()


def test_a_traceback_at_a_terminal_is_as_clean(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setenv("INDEX_PASSWORD", "correct-horse")
    logs.configure(stream=stream)
    text = "-".join(("correct", "horse"))  # the traceback shows the source too
    try:
        raise ValueError(f"{text} \x1b]0;pwned\x07")
    except ValueError:
        logs.get("x").exception("failed")
    told = stream.getvalue()
    assert "Traceback" in told
    assert "ValueError" in told
    assert [word for word in ("correct-horse", "\x1b]0", "\x07") if word in told] == []


def test_secrets_are_hidden_however_deep_they_are(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDEX_PASSWORD", "correct-horse")
    logs.configure("info", stream)
    logs.get("x").info("a", one=["correct-horse"], two={"k": ("correct-horse",)}, three=ValueError("correct-horse"))
    assert "correct-horse" not in stream.getvalue()


def test_a_file_gets_every_line_as_well(stream: io.StringIO, tmp_path: Path) -> None:
    logs.configure("info", stream, tmp_path / "log.jsonl")
    logs.get("daemon").info("started", key="ü\ud800")
    logging.getLogger("botocore").warning("slow")
    written = (tmp_path / "log.jsonl").read_text()
    assert written == stream.getvalue()
    assert [json.loads(line)["event"] for line in written.splitlines()] == ["started", "slow"]


def test_a_file_that_grows_large_begins_anew(
    stream: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST_FILE", 1000)
    logs.configure("info", stream, tmp_path / "log.jsonl")
    for number in range(100):
        logs.get("daemon").info("started", number=number)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log.jsonl", "log.jsonl.1"]
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())
    assert len(stream.getvalue().splitlines()) == 100


def test_a_file_that_cannot_be_written_is_told_once_and_costs_no_line(stream: io.StringIO, tmp_path: Path) -> None:
    logs.configure("info", stream, tmp_path / "missing" / "log.jsonl")
    for number in range(3):
        logs.get("daemon").info("started", number=number)
    events = [line["event"] for line in lines(stream)]
    assert sorted(events) == ["log file not written", "started", "started", "started"]
