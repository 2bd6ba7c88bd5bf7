"""``auto-lambda logs``."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from typing import Annotated

import typer

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import Head, ObjectStore
from auto_lambda_cli.commands.apps.common import Name, Stage, asked
from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.options import Bucket, Local
from auto_lambda_cli.outcome import words
from auto_lambda_cli.queries.log_tail import LogTail


def logs(
    name: Name,
    stage: Stage = "dev",
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Continue until the deployment has ended; with --runtime, until Ctrl-C."),
    ] = False,
    runtime: Annotated[bool, typer.Option("--runtime", help="What the functions log while they run.")] = False,
    since: Annotated[
        str, typer.Option(metavar="SPAN|TIME", help="With --runtime: 90s, 10m, 2h, 3d, or a time in UTC.")
    ] = "10m",
    pattern: Annotated[
        str | None,
        typer.Option("--filter", metavar="PATTERN", help="With --runtime: a filter pattern of CloudWatch Logs."),
    ] = None,
    function: Annotated[
        str | None, typer.Option(metavar="F", help="With --runtime: only this function of the app.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --runtime: a line of JSON for each event.")] = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Print the log of an app's last deployment: each step, its output, what failed and what to do.

    With `--runtime`: what its functions have logged in CloudWatch, those of the last ten minutes unless `--since` says
    otherwise.

    For example:

    - `auto-lambda logs shop --stage prod --follow`
    - `auto-lambda logs shop --runtime --since 2h --filter ERROR`
    """
    if not runtime:
        if pattern or function or as_json or since != "10m":
            raise leave(Exit.USAGE, "--since, --filter, --function and --json are for --runtime")
        raise typer.Exit(log_of_deployment(name, stage, follow=follow, local=local, bucket=bucket))
    from auto_lambda_cli.commands.apps.runtime import runtime as run

    raise typer.Exit(
        run(
            name, stage, follow=follow, since=since, pattern=pattern, function=function, as_json=as_json,
            local=local, bucket=bucket,
        )
    )  # fmt: skip


def log_of_deployment(name: str, stage: str, *, follow: bool, local: bool, bucket: str | None) -> int:
    """Print the log, with ``follow`` also what is added to it, and return the exit code."""
    about = asked(name, stage, local=local, bucket=bucket)
    try:
        with plain_errors():
            code = print_log(about.services.store, about.target.bucket, about.app, follow=follow)
            if code == Exit.FAILED:
                about.suggest()
            return code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def print_log(
    store: ObjectStore, bucket: str, app: keys.App, *, follow: bool, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Print to stdout, and return exit code 1 if there is no log, else 0.

    Whoever follows means the newest drop: while no worker has taken it, the log of the one before is not printed.
    """
    log: LogTail | None = None
    told: Head | None = None
    while True:
        seen = drops.newest(store, bucket, app)  # first, so that a final receipt comes with its whole log
        if follow and seen.waiting and seen.waiting != told:
            tell(f"{app}: {_zip(seen.waiting)} waits for a worker; its log follows")
            told = seen.waiting
        if log or not (follow and seen.waiting):
            if log is None or log.key != keys.log_key(seen.key):
                log = LogTail(store, bucket, keys.log_key(seen.key), whole=True)
            _print_added(log)
        under_way = seen.waiting or (seen.receipt and not seen.receipt.final)
        if not (follow and under_way):
            return _ended(app, seen, found=log is not None and log.found)
        sleep(0.5)


def _ended(app: keys.App, seen: drops.Newest, *, found: bool) -> int:
    if found and seen.waiting:
        tell(
            f"this is the log of the drop before: {_zip(seen.waiting)} waits for a worker. "
            f"To follow it: auto-lambda logs {words(app)} --follow"
        )
    elif not found:
        why = f" yet: {_zip(seen.waiting)} waits for a worker" if seen.waiting else ""
        tell(f"{app} has no log{why}" if why or seen.receipt else f"{app} has no log: nothing was uploaded")
    return Exit.OK if found else Exit.FAILED


def _zip(waiting: Head) -> str:
    return f"the zip of {waiting.modified.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _print_added(log: LogTail) -> None:
    while True:
        again = log.found
        if (grown := log.look()) is None:
            return
        say(("\n" if grown.reset and again else "") + grown.text, nl=False)
