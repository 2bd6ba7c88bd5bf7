"""Worker and checker as processes of their own: started, waited for as systemd would, ended."""

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
    """A process did not come up; the message holds the end of its log."""


@dataclass
class Child:
    """``python -m <module>``, which ends when its starter's main thread does.

    It says by systemd's protocol when it is at work. ``log`` takes its output; a restart appends to it.
    """

    name: str
    module: str
    log: Path
    environ: Mapping[str, str]
    started: float = field(default=0.0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _notices: socket.socket | None = field(default=None, init=False)
    _ready: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start it; `wait_until_ready` tells when it is at work. Main thread only: its end would end the child."""
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
        """How it ended; None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def wait_until_ready(self, patience: float) -> None:
        """Wait until it says that it is at work.

        Args:
            patience: seconds.

        Raises:
            ChildError: it ended, or said nothing in that time.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.is_ready(0.1):
                return
            if (code := self.returncode()) is not None:
                raise ChildError(f"the {self.name} ended with {code}; the end of {self.log}:\n{tail(self.log)}")
        raise ChildError(
            f"the {self.name} was not at work after {patience:.0f} s; the end of {self.log}:\n{tail(self.log)}"
        )

    def is_ready(self, patience: float = 0.0) -> bool:
        """Whether it has said that it is at work; waits ``patience`` seconds for its next word."""
        if self._notices and self._said_ready(self._notices, patience):
            self._close_notices()  # a socket that nobody reads would fill up and make the sender wait
            self._ready = True
        return self._ready

    def ask_to_stop(self) -> None:
        """SIGTERM, if it still runs."""
        if self._process and self.returncode() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, patience: float) -> None:
        """Wait for it to stop, ``patience`` seconds at most, then kill it with whatever it left in its group."""
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
    """The last lines of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
