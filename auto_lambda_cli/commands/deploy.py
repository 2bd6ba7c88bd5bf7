"""``auto-lambda deploy``: pack, upload, follow."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.model import Commit
from auto_lambda_cli.exits import Exit, counted, leave, plain_errors, tell
from auto_lambda_cli.outcome import Following, ended
from auto_lambda_cli.packing import CannotPack, zip_folder
from auto_lambda_cli.selection import Reason, Selection
from auto_lambda_cli.target import choose

_SHOWN = 5  # names of each kind
_REASONS = {
    Reason.SECRET: "because it may hold secrets",
    Reason.IGNORED: "because .gitignore names it",
    Reason.NO_PART: "as no part of an app",
}


def deploy(
    source: Path,
    name: str | None,
    stage: str,
    following: Following,
    *,
    local: bool,
    bucket: str | None,
    include: Sequence[str] = (),
    commit: str | None = None,
    repository: str | None = None,
) -> int:
    """Deploy an app and return the exit code."""
    app = app_of(source, name, stage)
    made_from = _commit(commit, repository)
    target = choose(local=local, bucket=bucket)
    with packed(source, include) as (zip_path, selection):
        tell(f"{app} -> {target}")
        began = time.monotonic()
        with plain_errors():
            store = target.store()
            dropped = _upload(store, target.bucket, app, zip_path, made_from)
    return ended(store, dropped, began, following, _as_json(selection))


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
def packed(source: Path, include: Sequence[str] = ()) -> Iterator[tuple[Path, Selection | None]]:
    """Give the zip to upload, and what was selected if ``source`` is a folder, which is zipped into a temporary one."""
    if source.is_dir():
        with tempfile.TemporaryDirectory(prefix="auto-lambda-") as folder:
            zip_path = Path(folder, "app.zip")
            try:
                selection = zip_folder(source, zip_path, include)
            except CannotPack as error:
                raise leave(Exit.USAGE, str(error)) from None
            tell(f"packed {counted(len(selection.files), 'file')}, {zip_path.stat().st_size:,} bytes")
            _tell_left_out(selection)
            yield zip_path, selection
        return
    if include:
        raise leave(Exit.USAGE, "--include is for a folder; a zip is uploaded as it is")
    if not source.is_file():
        raise leave(Exit.USAGE, f"{source} is neither a zip nor a folder")
    if not zipfile.is_zipfile(source):
        raise leave(Exit.USAGE, f"{source} is not a zip: give a zip, or a folder to zip")
    yield source, None


def _tell_left_out(selection: Selection) -> None:
    for reason, names in selection.left_out.items():
        tell(f"left out, {_REASONS[reason]}: {_few(names)}")
    if selection.kept:
        tell(f"packed, although .gitignore names it: {_few(selection.kept)}")
    if selection.left_out.keys() & {Reason.SECRET, Reason.IGNORED}:
        tell("--include PATTERN packs what an app needs of these")


def _few(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _as_json(selection: Selection | None) -> dict[str, object]:
    """Return what is worth telling of a selection; nothing if all of a folder was packed."""
    if selection is None or not (selection.left_out or selection.kept):
        return {}
    return {"packing": {"left_out": selection.left_out, "kept": selection.kept}}


def _commit(commit: str | None, repository: str | None) -> Commit | None:
    wanted = Commit(commit or None, repository or None)
    known = Commit.told(wanted.metadata())
    if (known or Commit()) != wanted:
        raise leave(
            Exit.USAGE,
            f"--commit {commit!r} or --repository {repository!r} is not valid: a commit has 7 to 64 hexadecimal "
            "digits, a repository is a name such as owner/name, or a URL",
        )
    return known


def _upload(store: ObjectStore, bucket: str, app: keys.App, zip_path: Path, commit: Commit | None) -> drops.Drop:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("upload", total=zip_path.stat().st_size)
        return drops.drop(store, bucket, app, zip_path, lambda count: progress.advance(task, count), commit)
