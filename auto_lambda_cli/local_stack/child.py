"""Replaces itself by another program, which gets SIGTERM when its parent dies, however that dies.

``python -m auto_lambda_cli.local_stack.child <parent's pid> -m worker``. The setting survives `exec`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set the parent death signal, then run the program of the arguments with this Python."""
    parent = int(sys.argv[1])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit("the parent has died already")
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])  # noqa: S606 - this is what it is for


if __name__ == "__main__":
    main()
