"""``auto-lambda deploy``: pack, upload, follow."""

from __future__ import annotations

import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import typer

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.cli.exits import Exit, leave, plain_errors, tell
from auto_lambda.cli.target import choose
from auto_lambda.packing import CannotPack, zip_folder


def deploy(
    source: Path,
    name: str | None,
    stage: str,
    *,
    wait: bool,
    timeout: float,
    as_json: bool,
    local: bool,
    bucket: str | None,
) -> int:
    """Do it and return the exit code."""
    app = app_of(source, name, stage)
    target = choose(local=local, bucket=bucket)
    with packed(source) as zip_path:
        tell(f"{app} -> {target}")
        began = time.monotonic()
        with plain_errors():
            store = target.store()
            dropped = _upload(store, target.bucket, app, zip_path)
    if not wait:
        typer.echo(json.dumps({**asdict(dropped), "key": app.key}) if as_json else app.key)
        return Exit.OK
    receipt = _follow(store, dropped, timeout)
    if as_json:
        typer.echo(json.dumps(receipt.fields))
    return _conclude(receipt, app, time.monotonic() - began, as_json=as_json)


def app_of(source: Path, name: str | None, stage: str) -> keys.App:
    """The app that is meant; without a name it is called like the zip or the folder."""
    if name is None:
        resolved = source.resolve()
        name = resolved.name if resolved.is_dir() else resolved.stem
    try:
        return keys.App(stage, name)
    except keys.BadKey as error:
        raise leave(Exit.USAGE, f"{error}: choose another with --name or --stage") from None


@contextmanager
def packed(source: Path) -> Iterator[Path]:
    """The zip to upload, made in a temporary folder if ``source`` is a folder."""
    if source.is_dir():
        with tempfile.TemporaryDirectory(prefix="auto-lambda-") as folder:
            zip_path = Path(folder, "app.zip")
            try:
                count = zip_folder(source, zip_path)
            except CannotPack as error:
                raise leave(Exit.USAGE, str(error)) from None
            tell(f"packed {count} files, {zip_path.stat().st_size:,} bytes")
            yield zip_path
        return
    if not source.is_file():
        raise leave(Exit.USAGE, f"{source} is neither a zip nor a folder")
    if not zipfile.is_zipfile(source):
        raise leave(Exit.USAGE, f"{source} is not a zip: name a zip, or a folder to make one from")
    yield source


def _upload(store: ObjectStore, bucket: str, app: keys.App, zip_path: Path) -> drops.Drop:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("upload", total=zip_path.stat().st_size)
        return drops.drop(store, bucket, app, zip_path, lambda count: progress.advance(task, count))


def _follow(store: ObjectStore, dropped: drops.Drop, timeout: float) -> drops.Receipt:
    from botocore.exceptions import BotoCoreError, ClientError

    from auto_lambda.cli.view import following

    try:
        with following() as show:
            for receipt in drops.follow(store, dropped, timeout=timeout):
                show(receipt)
    except drops.TimedOut as error:
        raise leave(
            Exit.TIMED_OUT,
            f"{error}; it goes on by itself, see: auto-lambda status, auto-lambda logs {_words(dropped.app)}",
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise leave(Exit.FAILED, f"uploaded, then lost sight of it: {error}") from None
    except KeyboardInterrupt:
        raise leave(
            Exit.INTERRUPTED, "not followed any more; the deployment goes on, see: auto-lambda status"
        ) from None
    return receipt


def _conclude(receipt: drops.Receipt, app: keys.App, seconds: float, *, as_json: bool) -> int:
    for warning in receipt.fields.get("warnings") or ():
        tell(f"warning: {warning}")
    if receipt.status == "live":
        tell(f"live after {seconds:.1f} s: {receipt.fields.get('function')} version {receipt.fields.get('version')}")
        if receipt.url and not as_json:
            typer.echo(receipt.url)
        return Exit.OK
    if receipt.problem:
        tell(f"{receipt.status}: {receipt.problem['code']}\n{receipt.problem['message']}\n{receipt.problem['hint']}")
        tell(f"the whole log: auto-lambda logs {_words(app)}")
    else:
        tell(f"{receipt.status}: a newer zip of {app} has taken the place of this one")
    return Exit.FAILED


def _words(app: keys.App) -> str:
    return app.name if app.stage == keys.DEFAULT_STAGE else f"{app.name} --stage {app.stage}"
