"""What a person sees, in a real terminal: narrow and wide, without colours, without anything that moves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from e2e_stack import AUTO_LAMBDA, EXAMPLES, Drop, Stack
from terminal import Terminal, run

COLOUR = re.compile(r"\x1b\[(?:\d{1,3};)*(?:3|4|9|10)\d(?:;\d{1,3})*m")


@pytest.fixture(scope="module")
def receipt(stack: Stack, drops: Mapping[str, Drop]) -> dict[str, Any]:
    return stack.live(drops["quotes"])


@pytest.mark.parametrize(
    ("columns", "command"),
    [
        (40, ["status", "--prefix", "quotes"]),
        (60, ["status", "--prefix", "quotes"]),
        (200, ["status", "--prefix", "quotes"]),
        (40, ["status", "quotes"]),
        (40, ["url", "quotes"]),
    ],
)
def test_a_url_is_never_broken(stack: Stack, receipt: dict[str, Any], columns: int, command: list[str]) -> None:
    terminal = run([AUTO_LAMBDA, *command], stack.environ, columns)
    assert receipt["url"] in terminal.raw
    if len(receipt["url"]) + len("    ") <= columns:
        assert any(receipt["url"] in line for line in terminal.lines)


@pytest.mark.parametrize("command", [["releases", "quotes"], ["status", "--history", "quotes"]])
def test_a_release_can_be_read_off_where_it_is_narrow(
    stack: Stack, receipt: dict[str, Any], command: list[str]
) -> None:
    terminal = run([AUTO_LAMBDA, *command], stack.environ, 40)
    assert receipt["upload"]["version"][:8] in terminal.raw
    assert [line for line in terminal.raw.splitlines() if len(line) > 40 and "bucket" not in line] == []


def deploy(stack: Stack, **environ: str) -> Terminal:
    """The quotes once more, which is live at once."""
    command: list[str | Path] = [AUTO_LAMBDA, "deploy", EXAMPLES / "quotes"]
    return run(command, {**stack.environ, **environ}, 60)


def test_a_deployment_moves_in_colours_and_ends_with_the_url(stack: Stack, receipt: dict[str, Any]) -> None:
    terminal = deploy(stack)
    assert COLOUR.search(terminal.raw)
    assert "".join(terminal.lines[-2:]).endswith(receipt["url"])
    assert not [line for line in terminal.lines if line.startswith("{")]


def test_without_colours_there_are_none(stack: Stack, receipt: dict[str, Any]) -> None:
    assert not COLOUR.search(deploy(stack, NO_COLOR="1").raw)


def test_a_terminal_that_cannot_move_gets_a_line_for_each_step(stack: Stack, receipt: dict[str, Any]) -> None:
    terminal = deploy(stack, TERM="dumb")
    assert "\x1b" not in terminal.raw
    assert re.search(r"\d\.\d s  live", terminal.raw)


@pytest.mark.parametrize(("columns", "term"), [(40, "xterm-256color"), (100, "xterm-256color"), (80, "dumb")])
def test_the_watched_pipeline_fits_and_ends_with_ctrl_c(
    stack: Stack, receipt: dict[str, Any], columns: int, term: str
) -> None:
    watching: list[str | Path] = [AUTO_LAMBDA, "status", "--watch", "--interval", "0.5"]
    with Terminal(watching, {**stack.environ, "TERM": term}, columns) as terminal:
        terminal.until(lambda: "live" in terminal.raw)
        urls = [line for line in terminal.lines if "http://127.0.0.1" in line and "bucket" not in line]
        assert [line for line in urls if not (line.endswith("/") or "at http" in line or line.startswith("http"))] == []
        terminal.type("\x03")
        assert terminal.ended() == 130
    assert ("\x1b" in terminal.raw) is (term != "dumb")
