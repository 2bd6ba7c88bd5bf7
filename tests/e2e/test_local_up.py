"""``auto-lambda local up`` leaves nothing behind, however it is told to end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import urllib3
from e2e_stack import LocalUp, descendants, make_zip, running, small_chalice, until


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_all(tmp_path: Path, how: signal.Signals) -> None:
    up = LocalUp(tmp_path)
    try:
        stack = up.ready()
        receipt = stack.live(stack.drop("short-lived", make_zip(small_chalice())))
        assert stack.http(receipt["url"]).status == 200  # so that a function's process is among those that must go
        below = descendants(up.process.pid)
        assert below
        assert up.end(how) == 0, up.tail()
    finally:
        up.end(signal.SIGKILL)
    until(lambda: not [pid for pid in below if running(pid)], 10)
    assert not Path(stack.ready["folder"]).exists()
    with pytest.raises(urllib3.exceptions.HTTPError):
        stack.http(stack.endpoint)
