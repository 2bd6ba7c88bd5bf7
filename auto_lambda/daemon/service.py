"""The life of a daemon process: its signals, and notifications to systemd."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import sdnotify

from auto_lambda import logs

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RELOAD_STATUS = 75
"""Exit code of a daemon that wants to be started again; our units do so (``RestartForceExitStatus``)."""


class Stop:
    """A request to stop: ``requested`` is set by the first signal, ``at_once`` by the second.

    ``status`` is the exit code of a daemon that has stopped because of it.
    """

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.at_once = threading.Event()
        self.status = 0

    def request(self) -> None:
        """Request a stop, again if there was a request before. Thread-safe."""
        (self.at_once if self.requested.is_set() else self.requested).set()

    def reload(self, may_start: Callable[[], bool]) -> None:
        """Request a stop after which the daemon is started again, unless it could not start. Thread-safe."""
        if not self.requested.is_set() and may_start():
            self.status = RELOAD_STATUS
            self.requested.set()


@contextmanager
def stop_on_signals(may_start: Callable[[], bool] | None = None) -> Iterator[Stop]:
    """Turn SIGTERM and SIGINT into a `Stop`, and restore the earlier handlers afterwards. Main thread only.

    With ``may_start``, SIGHUP asks for a restart: it says whether the daemon could start with the settings of now.

    A handler may run while the main thread holds the lock that an event needs, so ours does nothing: the interpreter
    writes the signal's number into a socket, and a thread reads it there.
    """
    stop = Stop()
    inside, outside = socket.socketpair()
    with inside, outside:
        outside.setblocking(False)
        old_wakeup = signal.set_wakeup_fd(outside.fileno(), warn_on_full_buffer=False)
        handled = (*_SIGNALS, signal.SIGHUP) if may_start else _SIGNALS
        old_handlers = [signal.signal(number, lambda *_: None) for number in handled]
        listener = threading.Thread(target=_listen, args=(inside, stop, may_start), name="signals", daemon=True)
        listener.start()
        try:
            yield stop
        finally:
            for number, handler in zip(handled, old_handlers, strict=True):
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_wakeup)
            outside.shutdown(socket.SHUT_WR)
            listener.join()


def _listen(inside: socket.socket, stop: Stop, may_start: Callable[[], bool] | None) -> None:
    while data := inside.recv(16):
        for number in data:
            if number in _SIGNALS:
                stop.request()
            elif number == signal.SIGHUP and may_start:
                # To read settings may take a while, in which a signal to stop must be heard.
                threading.Thread(target=stop.reload, args=(may_start,), name="reload", daemon=True).start()


class Notifier:
    """Notifies systemd of the daemon's state. Without systemd it does nothing."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._systemd = sdnotify.SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None
        self.watchdog_seconds = _watchdog_seconds(environ)

    def ready(self, status: str) -> None:
        """Notify systemd that the daemon is ready."""
        self._tell(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Set the line for ``systemctl status``."""
        self._tell(f"STATUS={status}")

    def stopping(self, seconds: float = 0) -> None:
        """Notify systemd that the daemon is stopping, and extend the unit's time-out to so many seconds."""
        more = f"\nEXTEND_TIMEOUT_USEC={int(seconds * 1e6)}" if seconds else ""
        self._tell(f"STOPPING=1{more}")

    def watchdog(self) -> None:
        """Feed systemd's watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, state: str) -> None:
        if self._systemd:
            self._systemd.notify(state)


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Return the interval for `Notifier.watchdog`: half of what systemd allows; None without a watchdog."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdigit() and int(microseconds) else None


def runtime_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder that systemd has made for the daemon (systemd.exec(5), ``RuntimeDirectory``)."""
    folder = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(folder) if folder else None


def refuse(program: str, problems: Sequence[str], environ: Mapping[str, str] = os.environ, *, status: int = 2) -> int:
    """Report why ``program`` cannot start: as one entry in systemd's journal, or as lines of text.

    Returns:
        ``status``, the exit code: 2 if it never can; on that, our units are not restarted.
    """
    Notifier(environ).status(f"cannot start: {'; '.join(problems)}")
    if _is_journal(environ):
        logs.configure()
        logs.get(program).error("cannot start", problems=list(problems))
    else:
        for problem in problems:
            sys.stderr.write(f"auto-lambda {program}: {problem}\n")
    return status


def _is_journal(environ: Mapping[str, str]) -> bool:
    """Tell whether standard error is the journal, whose device and inode systemd sets in JOURNAL_STREAM."""
    try:
        info = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"


def dns_timeouts(resolv_conf: Path = Path("/etc/resolv.conf")) -> None:
    """Make glibc repeat DNS queries after two seconds, five times, instead of after five, twice (resolv.conf(5)).

    Call this at the start of a daemon: glibc reads it at the first query. The machine's own setting of either wins.
    """
    try:
        said = resolv_conf.read_text(errors="replace")
    except OSError:
        said = ""
    if not re.search(r"(?m)^options\b.*\b(timeout|attempts):", said):
        os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:5")
