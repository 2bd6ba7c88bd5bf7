"""``auto-lambda watch``."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from auto_lambda import drops
from auto_lambda.keys import App
from auto_lambda_cli.commands.apps.completion import stages
from auto_lambda_cli.exits import Exit, plain_errors, tell
from auto_lambda_cli.extras import needs
from auto_lambda_cli.options import Bucket, Local
from auto_lambda_cli.outcome import Following, ended
from auto_lambda_cli.packing import CannotPack, zip_folder
from auto_lambda_cli.target import Target, choose

_DEBOUNCE = 400  # milliseconds in which an editor's saves become one


@needs("watch")
def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The app's folder.", exists=True, file_okay=False)
    ] = Path(),
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="The app's name; by default that of the folder.")
    ] = None,
    stage: Annotated[
        str, typer.Option("--stage", "-s", help="The stage.", metavar="STAGE", autocompletion=stages)
    ] = "dev",
    include: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="As for deploy; may be repeated.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to follow each deployment at most.", min=1)] = 900,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Deploy a folder now, and each time that a file of its app is saved, until Ctrl-C.

    A save that leaves the zip as it was deploys nothing. A deployment that fails is told, and what was live stays live.

    Example: `auto-lambda watch . --name shop`
    """
    from watchfiles import watch as saves

    from auto_lambda_cli.commands.deploy import app_of

    app, target = app_of(folder, name, stage), choose(local=local, bucket=bucket)
    tell(f"{app} -> {target}; each save deploys it, Ctrl-C ends this")
    try:
        each = saves(folder, debounce=_DEBOUNCE, ignore_permission_denied=True)
        follow(folder, app, target, each, Following(wait=True, timeout=timeout, as_json=False), include or ())
    except KeyboardInterrupt:
        raise typer.Exit(int(Exit.INTERRUPTED)) from None


def follow(
    folder: Path, app: App, target: Target, each: Iterable[object], following: Following, include: Sequence[str] = ()
) -> None:
    """Deploy a folder, and again after each save that changes its zip."""
    last = _deployed(folder, app, target, following, include, None)
    for _ in each:
        last = _deployed(folder, app, target, following, include, last)


def _deployed(
    folder: Path, app: App, target: Target, following: Following, include: Sequence[str], last: str | None
) -> str | None:
    """Deploy a folder unless its zip is the last one; return the hash of its zip."""
    with tempfile.TemporaryDirectory(prefix="auto-lambda-") as work:
        zip_path = Path(work, "app.zip")
        try:
            zip_folder(folder, zip_path, include)
        except CannotPack as error:  # in the middle of a save, or for good: the next save shows
            tell(f"not deployed: {error}")
            return last
        digest = hashlib.sha256(zip_path.read_bytes()).hexdigest()
        if digest == last:
            return last
        began = time.monotonic()
        with plain_errors():
            store = target.store()
            dropped = drops.drop(store, target.bucket, app, zip_path)
    try:
        ended(store, dropped, began, following)
    except typer.Exit as error:
        if error.exit_code == Exit.INTERRUPTED:
            raise
    return digest
