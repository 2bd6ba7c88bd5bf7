"""The first process of a builder: it ends with the connection, and nobody looks into it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE = 20


@dataclass
class Supervised:
    process: subprocess.Popen[bytes]
    worker: socket.socket
    systemd: socket.socket

    def told(self) -> str:
        self.systemd.settimeout(PATIENCE)
        return self.systemd.recv(1000).decode()


@contextmanager
def supervised(folder: Path, *command: str) -> Iterator[Supervised]:
    ours, theirs = socket.socketpair()
    with ours, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        environ = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "60000000"}
        process = subprocess.Popen(
            [sys.executable, "-m", "builder.supervisor", *command],
            stdin=theirs.fileno(),
            env=environ,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        theirs.close()
        try:
            yield Supervised(process, ours, systemd)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # systemd's part
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def test_it_says_that_it_is_ready_and_alive_and_its_builder_has_no_way_to_say_so(tmp_path: Path) -> None:
    tell = "import os, sys; print(sorted(name for name in os.environ if name.startswith(('NOTIFY', 'WATCHDOG'))))"
    with supervised(tmp_path, sys.executable, "-c", f"{tell}; sys.stdout.flush(); input()") as one:
        assert one.told() == "READY=1"
        assert one.told() == "WATCHDOG=1"
        assert one.process.stdout is not None
        assert one.process.stdout.readline() == b"[]\n"


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_it_ends_with_the_connection_whatever_its_builder_does(tmp_path: Path, how: str) -> None:
    with supervised(tmp_path, "sleep", "60") as one:
        one.told()
        one.worker.close() if how == "close" else one.worker.shutdown(socket.SHUT_RDWR)
        assert one.process.wait(PATIENCE) == 0


def test_it_ends_as_its_builder_ends(tmp_path: Path) -> None:
    with supervised(tmp_path, sys.executable, "-c", "raise SystemExit(3)") as one:
        assert one.process.wait(PATIENCE) == 3


def test_no_process_of_its_user_may_look_into_it(tmp_path: Path) -> None:
    with supervised(tmp_path, "sleep", "60") as one:
        one.told()
        assert Path(f"/proc/{one.process.pid}/mem").stat().st_uid == 0  # what cannot be dumped is root's (proc(5))
        reader = [sys.executable, "-c", f"open('/proc/{one.process.pid}/environ').read()"]
        if os.geteuid():
            assert subprocess.run(reader, capture_output=True, check=False).returncode


def test_our_own_builder_is_what_it_starts_by_default(tmp_path: Path) -> None:
    with supervised(tmp_path) as one:
        one.worker.sendall(b"no message\n")
        assert one.process.wait(PATIENCE) == 1  # not what a builder is sent
