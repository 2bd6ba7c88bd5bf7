"""``auto-lambda logs``."""

from __future__ import annotations

import time
from collections.abc import Callable

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda_cli.exits import Exit, plain_errors, say, tell
from auto_lambda_cli.target import app_named, choose


def logs(name: str, stage: str, *, follow: bool, local: bool, bucket: str | None) -> int:
    """Print the log, with ``follow`` also what is added to it, and return the exit code."""
    app = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    try:
        with plain_errors():
            return print_log(target.store(), target.bucket, app, follow=follow)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def print_log(
    store: ObjectStore, bucket: str, app: keys.App, *, follow: bool, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Print to stdout, and return exit code 1 if there is no log, else 0."""
    printed = ""
    while True:
        key, receipt = drops.latest(store, bucket, app)  # first, so that a final receipt comes with its whole log
        text = _log(store, bucket, key)
        if text is not None and text != printed:
            say(added(printed, text), nl=False)
            printed = text
        if text is None and not follow:
            tell(f"{app} has no log" + ("" if receipt else ": nothing was uploaded, or no worker has received it yet"))
            return Exit.FAILED
        if not follow or (receipt and receipt.final):
            return Exit.OK
        sleep(0.5)


def added(before: str, now: str) -> str:
    """Return what to print after ``before``: the rest, or all of it if another deployment has begun."""
    return now[len(before) :] if now.startswith(before) else f"\n{now}"


def _log(store: ObjectStore, bucket: str, key: str) -> str | None:
    try:
        return store.get(bucket, keys.log_key(key)).decode(errors="replace")
    except ObjectMissing:
        return None
