"""Runs where AWS starts it: ``python -m entrypoint``, on Lambda as the ordinary runtime, in a task as a web server."""

from __future__ import annotations

import os
import sys

from entrypoint import logs
from entrypoint.failures import CannotServe
from entrypoint.start import start

if __name__ == "__main__":
    try:
        status = start(os.environ)
    except CannotServe as failure:
        logs.say("cannot-serve", "error", message=str(failure), reason=failure.exit_status.name.lower())
        status = failure.exit_status
    sys.exit(status)
