"""``auto-lambda deploy``: pack, upload, follow."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda_cli.exits import Exit, counted, leave, plain_errors, tell
from auto_lambda_cli.outcome import Following, ended
from auto_lambda_cli.packing import CannotPack, zip_folder
from auto_lambda_cli.target import choose


def deploy(
    source: Path,
    name: str | None,
    stage: str,
    following: Following,
    *,
    local: bool,
    bucket: str | None,
) -> int:
    """Deploy an app and return the exit code."""
    app = app_of(source, name, stage)
    target = choose(local=local, bucket=bucket)
    with packed(source) as zip_path:
        tell(f"{app} -> {target}")
        began = time.monotonic()
        with plain_errors():
            store = target.store()
            dropped = _upload(store, target.bucket, app, zip_path)
    return ended(store, dropped, began, following)


def app_of(source: Path, name: str | None, stage: str) -> keys.App:
    """Return the app to deploy; its name is by default that of the zip or folder."""
    if name is None:
        resolved = source.resolve()
        name = resolved.name if resolved.is_dir() else resolved.stem
    try:
        return keys.App(stage, name)
    except keys.BadKey as error:
        raise leave(Exit.USAGE, f"{error}. Choose another one with --name or --stage.") from None


@contextmanager
def packed(source: Path) -> Iterator[Path]:
    """Give the zip to upload; if ``source`` is a folder, it is zipped into a temporary one."""
    if source.is_dir():
        with tempfile.TemporaryDirectory(prefix="auto-lambda-") as folder:
            zip_path = Path(folder, "app.zip")
            try:
                count = zip_folder(source, zip_path)
            except CannotPack as error:
                raise leave(Exit.USAGE, str(error)) from None
            tell(f"packed {counted(count, 'file')}, {zip_path.stat().st_size:,} bytes")
            yield zip_path
        return
    if not source.is_file():
        raise leave(Exit.USAGE, f"{source} is neither a zip nor a folder")
    if not zipfile.is_zipfile(source):
        raise leave(Exit.USAGE, f"{source} is not a zip: give a zip, or a folder to zip")
    yield source


def _upload(store: ObjectStore, bucket: str, app: keys.App, zip_path: Path) -> drops.Drop:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("upload", total=zip_path.stat().st_size)
        return drops.drop(store, bucket, app, zip_path, lambda count: progress.advance(task, count))
