"""Becomes another program, which gets SIGTERM when its starter ends, however that ends.

``python -m auto_lambda_cli.local_stack.child <starter's pid> -m worker``. The kernel keeps the promise across `exec`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel, then become what the arguments say, under this Python."""
    starter = int(sys.argv[1])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:
        raise SystemExit("the starter is gone already")
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])  # noqa: S606 - this is what it is for


if __name__ == "__main__":
    main()
