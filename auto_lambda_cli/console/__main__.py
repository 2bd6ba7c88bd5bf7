"""The console of a local stack, as a process of its own: ``python -m auto_lambda_cli.console``.

Its address is given, and stays the same when it is started again: pages that are open find it again.
"""

from __future__ import annotations

import os
import sys

from auto_lambda.daemon.memory import spare_memory
from auto_lambda.daemon.service import Notifier, stop_on_signals
from auto_lambda_cli.console.access import ADDRESS, ConsoleAddress
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.server import serving
from auto_lambda_cli.target import BUCKET, Target


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    spare_memory()
    # Out of the environment: nothing that is started from here needs it.
    address = ConsoleAddress.of(os.environ.pop(ADDRESS))
    context = ConsoleContext(Target(os.environ[BUCKET], os.environ.get("AWS_ENDPOINT_URL")), os.environ)
    with stop_on_signals() as stop, serving(context, port=address.port, token=address.token):
        Notifier().ready("serving")
        stop.requested.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
