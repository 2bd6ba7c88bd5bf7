"""``auto-lambda local up`` leaves nothing behind, however it is told to end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import urllib3
from console import Page
from e2e_stack import AUTO_LAMBDA, LocalUp, bare_environ, descendants, make_zip, running, small_chalice, until
from terminal import Terminal, run

from auto_lambda_cli.console.access import ConsoleAddress


def test_a_signal_ends_it_all(tmp_path: Path) -> None:
    up = LocalUp(tmp_path)
    try:
        stack = up.ready()
        receipt = stack.live(stack.drop("short-lived", make_zip(small_chalice())))
        assert stack.http(receipt["url"]).status == 200  # so that a function's process is among those that must go
        (shown,) = Page(ConsoleAddress.of(stack.ready["console"])).get("api/apps").value("apps")["stages"][0]["apps"]
        assert (shown["name"], shown["status"], shown["url"]) == ("short-lived", "live", receipt["url"])
        below = descendants(up.process.pid)
        assert below
        assert up.end(signal.SIGTERM) == 0, up.tail()
    finally:
        up.end(signal.SIGKILL)
    until(lambda: not [pid for pid in below if running(pid)], 10)
    assert not Path(stack.ready["folder"]).exists()
    with pytest.raises(urllib3.exceptions.HTTPError):
        stack.http(stack.endpoint)


def test_a_person_is_shown_no_json_and_ends_it_all_with_ctrl_c(tmp_path: Path) -> None:
    environ = {**bare_environ(), "XDG_STATE_HOME": str(tmp_path / "state")}
    (tmp_path / "short-lived.zip").write_bytes(make_zip(small_chalice()))
    with Terminal([AUTO_LAMBDA, "local", "up"], environ, 60) as up:
        up.until(lambda: "ready; now" in up.raw)
        assert not [line for line in up.lines if line.startswith("{")]
        deployed = run([AUTO_LAMBDA, "deploy", str(tmp_path / "short-lived.zip")], environ, 60)
        assert deployed.lines[-1].startswith("http://127.0.0.1:")
        below = descendants(up.process.pid)
        assert below
        up.type("\x03")
        assert up.ended() == 0, up.raw
    until(lambda: not [pid for pid in below if running(pid)], 10)
