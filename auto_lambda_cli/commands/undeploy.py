"""``auto-lambda undeploy``: delete a zip, and see its app taken out of AWS."""

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
    "this pipeline leaves an app in AWS when its zip is deleted, so nothing was done: "
    "the parameter UndeployOnDelete of its template is false"
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
    """Do it and return the exit code."""
    app = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    with plain_errors():
        store = target.store()
        if not deletions_count(store, target.bucket):
            raise leave(Exit.USAGE, _KEPT)
        key = deployed_from(app, store, target.bucket)
        tell(f"{app}: out of AWS, with its functions, routes and roles -> {target}")
        if dry_run:
            return Exit.OK
        _confirm(app, target, yes=yes)
        began = time.monotonic()
        removed = drops.remove(store, target.bucket, app, key, _tell_unseen)
    return ended(store, removed, began, following)


def deletions_count(store: ObjectStore, bucket: str) -> bool:
    """Whether the bucket announces deletions; who may not see that is believed to know."""
    try:
        announced = store.announced(bucket)
    except ClientError as error:
        if not denied(error):
            raise
        return True
    return any(event.startswith("s3:ObjectRemoved:") for events in announced.values() for event in events)


def deployed_from(app: keys.App, store: ObjectStore, bucket: str) -> str:
    """The key of the zip that is live; or, where nothing is, that was found faulty and may have left a stack.

    Raises:
        typer.Exit: there is nothing to take out, or not yet; which has been told.
    """
    key, receipt = drops.latest(store, bucket, app)
    if receipt and receipt.serving:
        version = receipt.serving.get("upload")
        with suppress(ObjectMissing):
            return drops.key_of(store, bucket, app, version) if version else key
        return key
    if receipt and receipt.status in {"queued", "building", "deploying"}:
        raise leave(Exit.USAGE, f"{app} is {receipt.status}, for the first time: wait until that has ended")
    if receipt is None or receipt.status == "superseded":
        raise leave(Exit.USAGE, f"{app} is not in AWS: there is nothing to take out")
    return key


def _tell_unseen(key: str) -> None:
    tell(f"we may not see whether there is a zip {key} too; if there is, the app comes back from it")


def _confirm(app: keys.App, target: Target, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise leave(Exit.USAGE, "nobody is there to ask: say --yes if it is meant")
    if not typer.confirm(f"Take {app} out of {target}? Its users will get no answer any more.", err=True):
        raise leave(Exit.USAGE, "nothing was done")
