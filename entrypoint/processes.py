"""Several processes that serve on one port, for apps that need more than one processor."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint import logs


def serve_by_many(command: Sequence[str], environ: Mapping[str, str], count: int, listener: int, folder: Path) -> int:
    """Run a command several times until the first ends, then stop the others; return that one's exit status.

    None is replaced: ECS replaces the whole task, and says why.

    Args:
        command: serves on the listener.
        environ: of each.
        count: how many.
        listener: the descriptor that they share.
        folder: in which they run.
    """
    serving: list[subprocess.Popen[bytes]] = []

    def stop(*_: object) -> None:
        for one in serving:
            if one.poll() is None:
                one.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for _ in range(count):
        one = subprocess.Popen(command, env=dict(environ), cwd=folder, pass_fds=[listener])
        serving.append(one)  # one by one: a signal may come at any time
    os.close(listener)
    first, status = os.waitpid(-1, 0)
    code = os.waitstatus_to_exitcode(status)
    for one in serving:
        if one.pid == first:
            one.returncode = code
    if code not in (0, -signal.SIGTERM):
        logs.say("process-ended", "error", pid=first, status=code)
    stop()
    # One that was told to stop before it could listen to that has stopped as it should.
    codes = [code, *(one.wait() for one in serving)]
    return next((one for one in codes if one not in (0, -signal.SIGTERM)), 0)
