"""``auto-lambda console``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from auto_lambda_cli.options import AsJson, Bucket, Local, OpenBrowser
from auto_lambda_cli.target import BUCKET, choose


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
    from auto_lambda_cli.console.browser import may_open

    target = choose(local=local, bucket=bucket)
    options = [
        *(["--port", str(port)] if port else []),
        *(["--open"] if browser and may_open(os.environ) else []),
        *(["--json"] if as_json else []),
    ]
    # It runs for hours: without the command line it takes a quarter less memory. -P: nothing of the folder is imported.
    command = [sys.executable, "-P", "-m", "auto_lambda_cli.console", *options]
    os.execve(sys.executable, command, {**os.environ, BUCKET: target.bucket})  # noqa: S606 - no shell is wanted
