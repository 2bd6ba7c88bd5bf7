"""Signals, systemd, and the end of whatever a process has started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from auto_lambda.daemon.memory import spare_memory, trim_memory
from auto_lambda.daemon.service import (
    RELOAD_STATUS,
    Notifier,
    Stop,
    dns_timeouts,
    refuse,
    stop_on_signals,
)


def test_the_first_wish_asks_and_the_second_insists() -> None:
    stop = Stop()
    stop.request()
    assert (stop.requested.is_set(), stop.at_once.is_set()) == (True, False)
    for _ in range(3):
        stop.request()
    assert stop.at_once.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_wishes_to_stop_and_the_old_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.requested.wait(10)
        os.kill(os.getpid(), number)
        assert stop.at_once.wait(10)
    assert signal.getsignal(number) is before


def test_other_signals_do_not_stop() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not stop.requested.wait(0.05)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


@pytest.mark.parametrize(("may_start", "status"), [(True, RELOAD_STATUS), (False, 0)])
def test_a_hang_up_asks_for_a_restart_if_that_can_work(may_start: bool, status: int) -> None:
    asked = threading.Event()

    def ask() -> bool:
        asked.set()
        return may_start

    before = signal.getsignal(signal.SIGHUP)
    with stop_on_signals(ask) as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert asked.wait(10)
        if not may_start:
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested.wait(10)
    assert stop.status == status
    assert signal.getsignal(signal.SIGHUP) is before


def test_the_handlers_come_back_after_an_exception_too() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="x"), stop_on_signals():
        raise ValueError("x")
    assert signal.getsignal(signal.SIGTERM) is before


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notifier = Notifier()
        notifier.ready("2 slots free")
        notifier.status("busy")
        notifier.watchdog()
        notifier.stopping()
        notifier.stopping(1.5)
        told = [systemd.recv(100).decode() for _ in range(5)]
        assert notifier._systemd is not None
        notifier._systemd.socket.close()
    assert told == [
        "READY=1\nSTATUS=2 slots free",
        "STATUS=busy",
        "WATCHDOG=1",
        "STOPPING=1",
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000",
    ]


def test_off_systemd_nothing_happens() -> None:
    notifier = Notifier({})
    notifier.ready("x")
    notifier.stopping()
    assert notifier.watchdog_seconds is None


def test_who_cannot_start_says_why_a_line_for_each_problem(capsys: pytest.CaptureFixture[str]) -> None:
    assert refuse("worker", ("no queue", "no bucket"), {}) == 2
    assert capsys.readouterr().err == "auto-lambda worker: no queue\nauto-lambda worker: no bucket\n"


def test_to_the_journal_it_is_one_entry(tmp_path: Path) -> None:
    """In a process of its own, since logging is configured in it."""
    script = (
        "import os, sys; from auto_lambda.daemon.service import refuse; info = os.fstat(2);"
        "sys.exit(refuse('worker', ('no queue', 'no bucket'), {'JOURNAL_STREAM': f'{info.st_dev}:{info.st_ino}'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    entry = json.loads(done.stderr)
    assert (entry["event"], entry["level"], entry["part"]) == ("cannot start", "error", "worker")
    assert entry["problems"] == ["no queue", "no bucket"]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_seconds == seconds


def test_sparing_memory_does_no_harm() -> None:
    spare_memory()
    trim_memory()


@pytest.mark.parametrize(
    ("environment", "file", "holds"),
    [
        (None, "nameserver 127.0.0.1\n", "timeout:2 attempts:5"),
        (None, None, "timeout:2 attempts:5"),
        (None, "# options timeout:9\noptions edns0\n", "timeout:2 attempts:5"),
        (None, "options edns0 timeout:9\n", None),
        (None, "search example\noptions attempts:1\n", None),
        ("timeout:3", "nameserver 127.0.0.1\n", "timeout:3"),
    ],
)
def test_what_the_machine_says_of_lookups_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str | None, file: str | None, holds: str | None
) -> None:
    monkeypatch.setenv("RES_OPTIONS", environment or "")
    if environment is None:
        monkeypatch.delenv("RES_OPTIONS")
    if file is not None:
        (tmp_path / "resolv.conf").write_text(file)
    dns_timeouts(tmp_path / "resolv.conf")
    assert os.environ.get("RES_OPTIONS") == holds
