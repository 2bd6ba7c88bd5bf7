from __future__ import annotations

import webbrowser
from typing import Any

import pytest

from auto_lambda_cli.console.browser import may_open, open_in_browser


@pytest.mark.parametrize(("environ", "platform", "terminal", "opens"), [
    ({"DISPLAY": ":0"}, "linux", True, True),
    ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
    ({}, "darwin", True, True),
    ({}, "linux", True, False),
    ({"DISPLAY": ""}, "linux", True, False),
    ({"DISPLAY": ":0"}, "linux", False, False),
    ({"DISPLAY": ":10", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, "linux", True, False),
])  # fmt: skip
def test_a_browser_is_opened_only_for_a_person_with_a_desktop(
    environ: dict[str, str], platform: str, terminal: bool, opens: bool
) -> None:
    assert may_open(environ, platform, terminal=terminal) is opens


def test_no_browser_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Any:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    assert open_in_browser("http://127.0.0.1:1/") is False


def test_a_browser_that_draws_into_the_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("w3m"))
    assert open_in_browser("http://127.0.0.1:1/") is False
