"""The one place that starts programs outside of the sandbox.

Whoever starts one says its whole environment. Values of an upload are never in it: a program obeys variables such as
``LD_PRELOAD`` and ``BASH_ENV`` whatever it was started for.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

FIXED: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
"""What a program gets that needs nothing else."""

Word = str | os.PathLike[str]


class ProgramFailed(Exception):
    """A program could not be started, or did not end in time."""


def start(argv: Sequence[Word], environment: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program.

    Args:
        argv: the program and its arguments.
        environment: all of its environment.
        options: as for `subprocess.Popen`.

    Raises:
        OSError: it cannot be started.
    """
    return subprocess.Popen(argv, env=dict(environment), **options)


def run(
    argv: Sequence[Word], environment: Mapping[str, str] = FIXED, *, timeout: float | None = None, umask: int = -1
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without input; its output is read as text.

    Args:
        argv: the program and its arguments.
        environment: all of its environment.
        timeout: seconds; then it is killed.
        umask: of the program; ours by default.

    Raises:
        ProgramFailed: it cannot be started, or has not ended in time.
    """
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        with start(argv, environment, umask=umask, **pipes) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramFailed(str(error)) from error
    texts = (data.decode(errors="replace") for data in (out, err))
    return subprocess.CompletedProcess(argv, process.returncode, *texts)
