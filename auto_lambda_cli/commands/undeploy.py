"""``auto-lambda undeploy``: delete a zip, and wait until its app is removed from AWS."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import typer
from botocore.exceptions import ClientError

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore, denied
from auto_lambda_cli.exits import Exit, leave, plain_errors, tell
from auto_lambda_cli.outcome import Following, ended
from auto_lambda_cli.target import Target, app_named, choose

_KEPT = (
    "this pipeline keeps an app in AWS when its zip is deleted, so nothing was done: "
    "the template's parameter UndeployOnDelete is false. A local stack undeploys apps if it is started with "
    "`auto-lambda local up --undeploy-on-delete`"
)


def undeploy(
    name: str,
    stage: str,
    following: Following,
    *,
    yes: bool,
    dry_run: bool,
    local: bool,
    bucket: str | None,
) -> int:
    """Undeploy an app and return the exit code."""
    app = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    with plain_errors():
        store = target.store()
        if not deletions_count(store, target.bucket):
            raise leave(Exit.USAGE, _KEPT)
        key = deployed_from(app, store, target.bucket)
        if dry_run:
            tell(f"would delete {key} and remove {app} from AWS, with its functions, routes and roles ({target})")
            return Exit.OK
        _confirm(app, target, yes=yes)
        tell(f"removing {app} from AWS ({target})")
        began = time.monotonic()
        removed = drops.remove(store, target.bucket, app, key, _tell_unseen)
    return ended(store, removed, began, following)


def deletions_count(store: ObjectStore, bucket: str) -> bool:
    """Tell whether the bucket announces deletions; without permission to see that, assume so."""
    try:
        announced = store.announced(bucket)
    except ClientError as error:
        if not denied(error):
            raise
        return True
    return any(event.startswith("s3:ObjectRemoved:") for events in announced.values() for event in events)


def deployed_from(app: keys.App, store: ObjectStore, bucket: str) -> str:
    """Return the key of the zip that is live; if none is, of one that failed and may have left a stack.

    Raises:
        typer.Exit: there is nothing to remove, or not yet; the reason has been printed.
    """
    key, receipt = drops.latest(store, bucket, app)
    if receipt and receipt.serving:
        version = receipt.serving.object_version
        with suppress(ObjectMissing):
            return drops.key_of(store, bucket, app, version) if version else key
        return key
    if receipt and receipt.status in {"queued", "building", "deploying"}:
        raise leave(Exit.USAGE, f"{app} is {receipt.status} for the first time: wait until that has ended")
    if receipt is None or receipt.status == "superseded":
        raise leave(Exit.USAGE, f"{app} is not in AWS: there is nothing to remove")
    return key


def _tell_unseen(key: str) -> None:
    tell(f"no permission to see whether there is a zip {key} too; if there is, the app is deployed again from it")


def _confirm(app: keys.App, target: Target, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise leave(Exit.USAGE, "standard input is not a terminal, so there is no way to confirm: use --yes")
    if not typer.confirm(
        f"Remove {app} from AWS, with its functions, routes and roles ({target})? Its URL will no longer answer.",
        err=True,
    ):
        raise leave(Exit.USAGE, "nothing was done")
