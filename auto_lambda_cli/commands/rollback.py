"""``auto-lambda rollback``: make an earlier zip the newest one again, and its release live."""

from __future__ import annotations

import os
import time

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectMissing
from auto_lambda.receipts import Receipt
from auto_lambda_cli.exits import Exit, leave, plain_errors, tell
from auto_lambda_cli.outcome import Following, ended, words
from auto_lambda_cli.target import Target, app_named, choose


def rollback(
    name: str,
    stage: str,
    to: str | None,
    following: Following,
    *,
    dry_run: bool,
    local: bool,
    bucket: str | None,
) -> int:
    """Roll an app back and return the exit code."""
    app = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    began = time.monotonic()
    with plain_errors():
        store = target.store()
        _, receipt = drops.latest(store, target.bucket, app)
        version = _named(target, app, to) if to else before(app, receipt, drops.waiting(store, target.bucket, app))
        try:
            drops.key_of(store, target.bucket, app, version)
            tell(f"{app}: from {_live(receipt)} back to zip {version} -> {target}")
            if dry_run:
                return Exit.OK
            dropped = drops.again(store, target.bucket, app, version)
        except ObjectMissing:
            raise leave(Exit.USAGE, f"{app} has no zip {version}, or no longer. {_see_history(app)}") from None
    return ended(store, dropped, began, following)


def _named(target: Target, app: keys.App, to: str) -> str:
    """Return the id of the release that a person has named, whole or by its first characters."""
    from auto_lambda_cli.queries.releases import NoSuchRelease, release_id
    from auto_lambda_cli.queries.services import Services

    if drops.has_version(target.store(), target.bucket, app, to):
        return to
    try:
        return release_id(Services.of(target.bucket, os.environ), app, to)
    except NoSuchRelease as error:
        raise leave(Exit.USAGE, f"{error}. {_see_history(app)}") from None


def before(app: keys.App, receipt: Receipt | None, waiting: str | None) -> str:
    """Return the version of the zip that was live before the live one.

    Args:
        app: the app to roll back.
        receipt: its latest one.
        waiting: the key of a zip of it that no worker has received yet.

    Raises:
        typer.Exit: there is none, or it is not clear that it is meant; what to do has been printed.
    """
    serving = receipt.serving if receipt else None
    if receipt is None or not serving:
        raise leave(Exit.USAGE, f"{app} is not live: there is nothing to roll back.\n{_see_history(app)}")
    if not serving.object_version:
        raise leave(Exit.USAGE, f"the bucket of {app} is not versioned: there is nothing to roll back to")
    earlier = serving.previous_version
    further = f"To go back further: --to {earlier}" if earlier else "Nothing is known to have been live before it."
    if waiting or not receipt.final:
        at = f"{waiting} was dropped and waits" if waiting else f"the newest zip of {app} is {receipt.status}"
        state = f"{at}, and {_live(receipt)} is live until that one is."
        raise leave(Exit.USAGE, f"{state}\nTo keep what is live: --to {serving.object_version}. {further}")
    if receipt.status != "live":
        state = f"the newest zip of {app} is not live ({receipt.status}): {_live(receipt)} still is."
        raise leave(Exit.USAGE, f"{state}\n{further}")
    if not earlier:
        raise leave(Exit.USAGE, f"{_live(receipt)} is live. {further}\n{_see_history(app)}")
    return earlier


def _live(receipt: Receipt | None) -> str:
    serving = receipt.serving if receipt else None
    return f"version {serving.version} (zip {serving.object_version})" if serving else "nothing live"


def _see_history(app: keys.App) -> str:
    return f"What was live, for --to: auto-lambda releases {words(app)}"
