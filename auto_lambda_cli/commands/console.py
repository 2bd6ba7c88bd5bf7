"""``auto-lambda console``."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Annotated

import typer

from auto_lambda_cli.exits import Exit, interruptible, leave, say, tell
from auto_lambda_cli.options import AsJson, Bucket, Local, OpenBrowser
from auto_lambda_cli.target import choose


def console(
    port: Annotated[
        int | None,
        typer.Option(help="The port on 127.0.0.1; a free one by default.", min=1, max=65535),
    ] = None,
    browser: OpenBrowser = True,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Serve a web page that shows the pipeline and its apps, and runs until Ctrl-C.

    Drop a zip or a folder, watch it go live, read why it did not, roll back, configure. The page is served on 127.0.0.1
    only, below an address that nobody can guess, and uses your own AWS credentials: it can do what you can do.

    Exit codes: 0 ended by Ctrl-C, 2 it could not begin.

    Example: `auto-lambda console --local`
    """
    from auto_lambda.daemon.memory import spare_memory
    from auto_lambda_cli.console.browser import may_open, open_in_browser
    from auto_lambda_cli.console.context import ConsoleContext
    from auto_lambda_cli.console.server import serving

    spare_memory()
    target = choose(local=local, bucket=bucket)
    with interruptible(), suppress(KeyboardInterrupt), _port_told(port), ExitStack() as stack:
        address = stack.enter_context(serving(ConsoleContext(target, os.environ), port=port))
        if as_json:
            ready = {"ready": True, "url": address.url, "bucket": target.bucket, "endpoint": target.endpoint}
            say(json.dumps({**ready, "pid": os.getpid()}))
        else:
            tell(f"the console of {target}, until Ctrl-C:")
            say(address.url)
            if browser and may_open(os.environ) and not open_in_browser(address.url):
                tell("no browser could be opened: open the address yourself")
        while True:
            signal.pause()


@contextmanager
def _port_told(port: int | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise leave(Exit.USAGE, f"port {port} of 127.0.0.1 cannot be used: {error.strerror}") from None
