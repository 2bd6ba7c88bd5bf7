"""Worker and checker as child processes: started, waited for as systemd would, stopped."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class ChildError(Exception):
    """A process did not start; the message has the end of its log."""


@dataclass
class Child:
    """A process ``python -m <module>``, which gets SIGTERM when the main thread of its parent ends.

    It reports by systemd's protocol when it is ready. ``log`` takes its output; a restart appends to it. ``vital``:
    without it, there is no stack.
    """

    name: str
    module: str
    log: Path
    environ: Mapping[str, str]
    vital: bool = True
    started: float = field(default=0.0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _notices: socket.socket | None = field(default=None, init=False)
    _ready: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start it; see `wait_until_ready`. Main thread only: the child gets SIGTERM when the thread ends."""
        self._close_notices()
        self._ready = False
        address = f"auto-lambda-{os.getpid()}-{secrets.token_hex(4)}"
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(f"\0{address}")
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "auto_lambda_cli.local_stack.child", str(os.getpid()), "-m", self.module],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environ, "NOTIFY_SOCKET": f"@{address}"},
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """Its process id, None before the start."""
        return self._process.pid if self._process else None

    def returncode(self) -> int | None:
        """Return its exit code; None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def wait_until_ready(self, patience: float) -> None:
        """Wait until it reports that it is ready.

        Args:
            patience: seconds.

        Raises:
            ChildError: it exited, or did not report in that time.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.is_ready(0.1):
                return
            if (code := self.returncode()) is not None:
                raise ChildError(f"the {self.name} exited with {code}; the end of {self.log}:\n{tail(self.log)}")
        raise ChildError(
            f"the {self.name} was not ready after {patience:.0f} s; the end of {self.log}:\n{tail(self.log)}"
        )

    def is_ready(self, patience: float = 0.0) -> bool:
        """Tell whether it has reported that it is ready, waiting up to ``patience`` seconds for its next message."""
        if self._notices and self._said_ready(self._notices, patience):
            self._close_notices()  # a socket that is not read would fill up and block the sender
            self._ready = True
        return self._ready

    def ask_to_stop(self) -> None:
        """Send SIGTERM, if it is running."""
        if self._process and self.returncode() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, patience: float) -> None:
        """Wait up to ``patience`` seconds for it to stop, then kill it and all processes in its group."""
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_notices()

    @staticmethod
    def _said_ready(notices: socket.socket, patience: float) -> bool:
        notices.settimeout(patience)
        try:
            return b"READY=1" in notices.recv(4096).split(b"\n")
        except (TimeoutError, BlockingIOError):
            return False

    def _close_notices(self) -> None:
        if self._notices:
            self._notices.close()
            self._notices = None


def tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
