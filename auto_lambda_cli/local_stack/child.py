"""Replaces itself by another program, which gets SIGTERM when its parent dies, however that dies.

``python -m auto_lambda_cli.local_stack.child <parent's pid> -m worker`` runs a module with this Python, and
``... <parent's pid> -- /usr/bin/program`` any other program. The setting survives `exec`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set the parent death signal, then run the program of the arguments."""
    parent = int(sys.argv[1])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit("the parent has died already")
    command = sys.argv[3:] if sys.argv[2] == "--" else [sys.executable, *sys.argv[2:]]
    os.execvp(command[0], command)  # noqa: S606 - this is what it is for


if __name__ == "__main__":
    main()
