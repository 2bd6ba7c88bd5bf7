"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from auto_lambda_cli.exits import Exit, leave

Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="Use the running local stack, whatever the environment says. If several run, "
        "AUTO_LAMBDA_LOCAL_PORT selects one.",
    ),
]
Bucket = Annotated[
    str | None,
    typer.Option(
        "--bucket",
        envvar="AUTO_LAMBDA_UPLOADS_BUCKET",
        metavar="BUCKET",
        help="The pipeline's uploads bucket. By default that of a running local stack.",
        show_default=False,
    ),
]
WorkFolder = Annotated[
    Path | None, typer.Option("--folder", help="Where logs and work files go; a new temporary folder by default.")
]
OpenBrowser = Annotated[
    bool,
    typer.Option("--open/--no-open", help="Open the console in the browser, if there is a terminal and a desktop."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def pairs(option: str, given: Iterable[str] | None) -> dict[str, str]:
    """Return the values of a repeatable option that takes ``NAME=VALUE``; anything else ends the command."""
    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise leave(Exit.USAGE, f"{option} {one!r} is not NAME=VALUE")
        found[name] = value
    return found
