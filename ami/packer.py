"""Packer on this machine: finding it, and running it with streaming, a time-out and a way to stop it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ami.output import Output
from ami.problems import BuildInterrupted, BuildTimedOut, NotStarted

OLDEST = (1, 6, 6)
_WITH_PLUGINS = (1, 7, 0)
_VERSION = re.compile(r"^Packer v(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_GET_IT = "`apt-get install packer` on Debian, or a release of HashiCorp's, and --packer if it is not on PATH"

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PackerCall:
    """One subcommand: its options as packer-py takes them (a mapping becomes a repeated option)."""

    command: str
    template: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packer:
    """A Packer executable and its version."""

    executable: Path
    version: tuple[int, int, int]

    def template(self, folder: Path) -> Path:
        """Return the template for this version: the folder, or a file without the plug-in block that 1.6 refuses."""
        return folder if self.version >= _WITH_PLUGINS else folder / "image.pkr.hcl"

    def needs_init(self) -> bool:
        """Tell whether ``packer init`` must fetch plug-ins first."""
        return self.version >= _WITH_PLUGINS

    def run(self, call: PackerCall, show: Show, *, seconds: float, grace: float = 600) -> tuple[int, Output]:
        """Run Packer to its end, showing each line.

        On Ctrl-C, and after ``seconds``, Packer is interrupted and has ``grace`` seconds to remove what it launched.

        Returns:
            Packer's exit code, and its output.

        Raises:
            BuildTimedOut: it took longer than ``seconds``.
            BuildInterrupted: Ctrl-C or SIGTERM.
        """
        with _started(self.executable, call) as process:
            return _Following(process, show).follow(seconds, grace)


def find(given: Path | None = None) -> Packer:
    """Find the Packer to use.

    Raises:
        NotStarted: there is none, it is another program, or it is too old.
    """
    name = str(given or "packer")
    executable = shutil.which(name)
    if executable is None:
        raise NotStarted(f"there is no Packer here ({name}): {_GET_IT}")
    found = _VERSION.search(_said_version(executable))
    if found is None:
        raise NotStarted(f"{executable} is not HashiCorp's Packer (cracklib has a program of that name): {_GET_IT}")
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version < OLDEST:
        raise NotStarted(
            f"{executable} is Packer {'.'.join(found.groups())}, and the template needs 1.6.6 or newer: {_GET_IT}"
        )
    return Packer(Path(executable), version)


def _said_version(executable: str) -> str:
    environ = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    try:
        return subprocess.run(
            [executable, "version"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, env=environ,
            check=False,
        ).stdout  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotStarted(f"{executable} does not run: {error}") from error


@contextlib.contextmanager
def _started(executable: Path, call: PackerCall) -> Any:
    environ = {**os.environ, "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1", **call.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "ami.call"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=environ, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None  # noqa: S101  (a pipe, by the line above)
        asked = {
            "executable": str(executable), "command": call.command, "template": str(call.template),
            "options": dict(call.options),
        }  # fmt: skip
        json.dump(asked, process.stdin)
        process.stdin.close()
        try:
            yield process
        finally:
            _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class _Following:
    """Reads a process's output in a thread, so that waiting for it can be bounded and interrupted."""

    def __init__(self, process: subprocess.Popen[str], show: Show) -> None:
        self._process = process
        self._show = show
        self._output = Output()
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, name="packer", daemon=True).start()

    def follow(self, seconds: float, grace: float) -> tuple[int, Output]:
        try:
            if not self._until(time.monotonic() + seconds):
                self._stop(grace)
                raise BuildTimedOut(f"not ready after {seconds / 60:.0f} minutes: {self._left_behind()}")
        except KeyboardInterrupt:
            self._stop(grace)
            raise BuildInterrupted(f"interrupted: {self._left_behind()}") from None
        return self._process.wait(), self._output

    def _until(self, deadline: float) -> bool:
        """Show lines until the end of the output; return False if the deadline comes first."""
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                continue
            if line is None:
                return True
            for shown in self._output.take(line):
                self._show(shown)
        return False

    def _stop(self, grace: float) -> None:
        _signal(self._process, signal.SIGINT)
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C: do not wait for the clean-up
            self._until(time.monotonic() + grace)

    def _left_behind(self) -> str:
        if self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
        if self._process.poll() is None:
            return "Packer did not exit, so look for an instance and a security group named after the image"
        return "Packer has removed what it had launched"

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  (a pipe, by `_started`)
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)
