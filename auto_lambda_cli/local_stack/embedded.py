"""The embedded AWS: an emulator on a loopback port, in an environment of its own, that never outlives its parent."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from auto_lambda.tools import ToolEnvironments, interpreters
from auto_lambda_cli.running_stacks import ACCOUNT, HOST, KEY_ID, answers, client_environ

_LAUNCHER = Path(__file__).with_name("launcher.py")
_RUNTIME = "import sys; from auto_lambda.tools import ToolEnvironments as T; print(T().python('runtime', sys.argv[1]))"


class EmbeddedAwsError(Exception):
    """The embedded AWS did not start; the message has the end of its log."""


@dataclass
class EmbeddedAws:
    """A running embedded AWS. Use it as a context manager: at its end, the emulator and all its functions are killed.

    Attributes:
        endpoint: ``http://127.0.0.1:<port>``, for ``AWS_ENDPOINT_URL``.
        secret: the secret access key, which other users of the machine need.
        log: the emulator's log file.
    """

    endpoint: str
    secret: str
    log: Path
    _process: subprocess.Popen[str]
    _scratch: Path

    @classmethod
    def start(cls, folder: Path, port: int | None = None, *, patience: float = 60.0) -> EmbeddedAws:
        """Start it and wait until it answers.

        Args:
            folder: for its log and its functions' code; created if missing.
            port: a loopback port; a free one by default.
            patience: seconds until it must answer.

        Raises:
            EmbeddedAwsError: it exited or did not answer.
            OSError: the port is in use.
            auto_lambda.tools.ToolError: its environment could not be created.
        """
        python = ToolEnvironments().python("embedded-aws", preferred_minor())
        scratch = folder / "functions"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        log = folder / "aws.log"
        secret = secrets.token_urlsafe(30)
        with _listen(port) as listener:
            endpoint = f"http://{HOST}:{listener.getsockname()[1]}"
            aws = cls(endpoint, secret, log, _spawn(python, listener, secret, scratch, log), scratch)
        try:
            aws._wait_until_up(patience)
        except BaseException:
            aws.stop()
            raise
        return aws

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that point a client to it, and nowhere else."""
        return client_environ(self.endpoint, self.secret)

    @property
    def pid(self) -> int:
        """The emulator's process id, which is also its process group."""
        return self._process.pid

    def running(self) -> bool:
        """Tell whether it is running."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Kill it and its functions; nothing in it is saved. May be called again."""
        if self._process.stdin:
            self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_up(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.running():
            if answers(self.endpoint):
                return
            time.sleep(0.05)
        reason = "did not answer" if self.running() else f"exited with {self._process.returncode}"
        raise EmbeddedAwsError(f"the embedded AWS {reason}; the end of {self.log}:\n{_tail(self.log)}")


def preferred_minor() -> str:
    """Return the Python version for our own tools: our own, else the newest on this machine."""
    own = "{}.{}".format(*sys.version_info)
    return own if own in interpreters() else max(interpreters(), default=own, key=lambda minor: int(minor[2:]))


def _listen(port: int | None) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port or 0))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"port {port} on {HOST}: {error.strerror}") from None
    return listener


def _spawn(python: Path, listener: socket.socket, secret: str, scratch: Path, log: Path) -> subprocess.Popen[str]:
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, "-I", str(_LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=scratch,
            env=_emulator_environ(listener.getsockname()[1], scratch),
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    orders = {
        "socket": listener.fileno(),
        "runtimes": {minor: str(path) for minor, path in ToolEnvironments().made("runtime").items()},
        "runtime": [sys.executable, "-c", _RUNTIME],
        "environ": dict(os.environ),
        "credentials": [KEY_ID, secret],
    }
    assert process.stdin is not None  # noqa: S101 - for the type checker: we asked for a pipe
    with contextlib.suppress(BrokenPipeError):  # it has exited already; waiting for it reports why
        process.stdin.write(json.dumps(orders) + "\n")
        process.stdin.flush()
    return process


def _emulator_environ(port: int, scratch: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(scratch),
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
    }


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
