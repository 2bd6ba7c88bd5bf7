"""What becomes of a drop, told as it comes: for the commands that make one."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

import typer

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda_cli.exits import Exit, leave, tell


@dataclass(frozen=True, slots=True)
class Following:
    """How a person wants to be told.

    Attributes:
        wait: whether to follow it at all; otherwise only what was dropped is told.
        timeout: seconds to wait at most.
        as_json: the receipt, or the drop, goes to standard output as JSON.
    """

    wait: bool
    timeout: float
    as_json: bool


def ended(store: ObjectStore, dropped: drops.Drop, began: float, following: Following) -> int:
    """Follow a drop, or a zip's removal, to its end, tell it, and return the exit code.

    Args:
        store: where it was dropped.
        dropped: what is followed.
        began: when, by `time.monotonic`.
        following: how.
    """
    if not following.wait:
        typer.echo(json.dumps(asdict(dropped)) if following.as_json else dropped.key)
        return Exit.OK
    receipt = _followed(store, dropped, following.timeout)
    if following.as_json:
        typer.echo(json.dumps(receipt.fields))
    return _conclude(receipt, dropped, time.monotonic() - began, as_json=following.as_json)


def _followed(store: ObjectStore, dropped: drops.Drop, timeout: float) -> drops.Receipt:
    from botocore.exceptions import BotoCoreError, ClientError

    from auto_lambda_cli.progress.view import following

    try:
        with following() as show:
            for receipt in drops.follow(store, dropped, timeout=timeout):
                show(receipt)
    except drops.TimedOut as error:
        raise leave(
            Exit.TIMED_OUT,
            f"{error}; it goes on by itself, see: auto-lambda status, auto-lambda logs {words(dropped.app)}",
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise leave(Exit.FAILED, f"it is on its way, but was lost sight of: {error}") from None
    except KeyboardInterrupt:
        raise leave(Exit.INTERRUPTED, "not followed any more; it goes on by itself, see: auto-lambda status") from None
    return receipt


def _conclude(receipt: drops.Receipt, dropped: drops.Drop, seconds: float, *, as_json: bool) -> int:
    for warning in receipt.fields.get("warnings") or ():
        tell(f"warning: {warning}")
    if receipt.status == "live":
        tell(f"live after {seconds:.1f} s: {receipt.fields.get('function')} version {receipt.fields.get('version')}")
        if receipt.url and not as_json:
            typer.echo(receipt.url)
        return Exit.OK
    if dropped.removed and receipt.undeployed:
        tell(f"taken out of AWS after {seconds:.1f} s")
        return Exit.OK
    if receipt.problem:
        tell(f"{receipt.status}: {receipt.problem['code']}\n{receipt.problem['message']}\n{receipt.problem['hint']}")
        tell(f"the whole log: auto-lambda logs {words(dropped.app)}")
    else:
        tell(f"{receipt.status}: a newer zip of {dropped.app} has taken the place of this one")
    return Exit.FAILED


def words(app: keys.App) -> str:
    """How an app is named on the command line."""
    return app.name if app.stage == keys.DEFAULT_STAGE else f"{app.name} --stage {app.stage}"
