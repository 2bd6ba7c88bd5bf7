"""What all tests share."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let SIGINT stop a run that a shell has started in the background, and reach the programs that tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
