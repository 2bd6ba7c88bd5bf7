"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
