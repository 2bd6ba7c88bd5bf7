"""Opens the console in a person's browser, where there is one."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Mapping

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def may_open(environ: Mapping[str, str], platform: str = sys.platform, *, terminal: bool | None = None) -> bool:
    """Tell whether somebody would see a browser: a person at a terminal, with a desktop on this machine."""
    person = (sys.stdout.isatty() and sys.stderr.isatty()) if terminal is None else terminal
    if not person or environ.get("SSH_CONNECTION"):
        return False
    return platform == "darwin" or any(environ.get(name) for name in _DISPLAYS)


def open_in_browser(url: str) -> bool:
    """Open an address, and tell whether a browser took it. One that draws into the terminal is none."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if isinstance(browser, webbrowser.GenericBrowser) and not isinstance(browser, webbrowser.BackgroundBrowser):
        return False
    return browser.open(url)
