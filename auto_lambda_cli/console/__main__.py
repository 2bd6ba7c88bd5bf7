"""The console as a process of its own, which has loaded nothing else: ``python -m auto_lambda_cli.console``.

`auto-lambda console` becomes it. A local stack starts it with an address, which stays the same when it is started
again: pages that are open find it again.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack, suppress

from auto_lambda.daemon.memory import spare_memory
from auto_lambda_cli.console.access import ADDRESS, ConsoleAddress
from auto_lambda_cli.console.browser import open_in_browser
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.server import serving
from auto_lambda_cli.exits import Exit, interruptible, tell
from auto_lambda_cli.target import BUCKET, Target


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    spare_memory(heaps=1)
    parser = ArgumentParser(prog="auto-lambda console")
    parser.add_argument("--port", type=int)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # Out of the environment: nothing that is started from here needs it.
    address = os.environ.pop(ADDRESS, None)
    context = ConsoleContext(Target(os.environ[BUCKET], os.environ.get("AWS_ENDPOINT_URL")), os.environ)
    return _of_stack(context, ConsoleAddress.of(address)) if address else _of_person(context, options)


def _of_stack(context: ConsoleContext, address: ConsoleAddress) -> int:
    from auto_lambda.daemon.service import Notifier, stop_on_signals

    with stop_on_signals() as stop, serving(context, port=address.port, token=address.token):
        Notifier().ready("serving")
        stop.requested.wait()
    return Exit.OK


def _of_person(context: ConsoleContext, options: Namespace) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored by who started us
    with interruptible(), suppress(KeyboardInterrupt), ExitStack() as stack:
        try:
            address = stack.enter_context(serving(context, port=options.port))
        except OSError as error:
            tell(f"port {options.port} of 127.0.0.1 cannot be used: {error.strerror}")
            return Exit.USAGE
        _say_where(context.target, address, options)
        while True:
            signal.pause()
    return Exit.OK


def _say_where(target: Target, address: ConsoleAddress, options: Namespace) -> None:
    if options.json:
        ready = {"ready": True, "url": address.url, "bucket": target.bucket, "endpoint": target.endpoint}
        _print(json.dumps({**ready, "pid": os.getpid()}))
        return
    tell(f"the console of {target}, until Ctrl-C:")
    _print(address.url)
    if options.open and not open_in_browser(address.url):
        tell("no browser could be opened: open the address yourself")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
