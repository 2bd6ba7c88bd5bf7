"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="Use the local stack that is up, whatever the environment says. If several are up, "
        "AUTO_LAMBDA_LOCAL_PORT selects one.",
    ),
]
Bucket = Annotated[
    str | None,
    typer.Option(
        "--bucket",
        envvar="AUTO_LAMBDA_UPLOADS_BUCKET",
        metavar="BUCKET",
        help="The pipeline's uploads bucket. Without one, a local stack that is up.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
