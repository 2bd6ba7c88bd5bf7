"""Follow a drop and report what becomes of it: for the commands that make one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.receipts import Receipt
from auto_lambda_cli.exits import Exit, aws_says, leave, say, tell

_SHOWN = 8  # changes of rights
_LOGGED = 30  # lines of a function's log
_MAY_BE_MISSING = (
    "without s3:ListBucket, S3 refuses a first receipt until it is there; s3:GetObject on it is needed too"
)


@dataclass(frozen=True, slots=True)
class Following:
    """How a command follows a drop.

    Attributes:
        wait: whether to follow it at all; otherwise only the drop itself is printed.
        timeout: seconds to wait at most.
        as_json: print the receipt, or the drop, as JSON on standard output.
    """

    wait: bool
    timeout: float
    as_json: bool


def ended(
    store: ObjectStore,
    dropped: drops.Drop,
    began: float,
    following: Following,
    more: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Follow a drop, or the removal of a zip, to its end, report it, and return the exit code.

    Args:
        store: holds the bucket.
        dropped: the drop to follow.
        began: when the command began, by `time.monotonic`.
        following: how to follow it.
        more: fields to add to what is printed as JSON.
    """
    if not following.wait:
        say(json.dumps({**asdict(dropped), **more}) if following.as_json else dropped.key)
        return Exit.OK
    receipt = _followed(store, dropped, following.timeout)
    if following.as_json:
        say(json.dumps({**(receipt.stored or {}), **more}))
    return _conclude(receipt, dropped, time.monotonic() - began, as_json=following.as_json)


def _followed(store: ObjectStore, dropped: drops.Drop, timeout: float) -> Receipt:
    from botocore.exceptions import BotoCoreError, ClientError

    from auto_lambda_cli.progress.view import following

    refusals = list[ClientError]()

    def refused(error: ClientError) -> None:
        if not refusals:
            tell(f"no receipt can be read yet ({error}): {_MAY_BE_MISSING}")
        refusals.append(error)

    try:
        with following(removal=dropped.removed) as view:
            for receipt in drops.follow(store, dropped, timeout=timeout, refused=refused, silent=view.silent):
                view.show(receipt)
    except drops.TimedOut as error:
        raise leave(
            Exit.TIMED_OUT,
            f"{error}; it continues in the background, see: auto-lambda status, auto-lambda logs {words(dropped.app)}",
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise leave(Exit.FAILED, f"the upload is in the bucket, but following it failed. {aws_says(error)}") from None
    except KeyboardInterrupt:
        raise leave(Exit.INTERRUPTED, "interrupted; it continues in the background, see: auto-lambda status") from None
    return receipt


def _conclude(receipt: Receipt, dropped: drops.Drop, seconds: float, *, as_json: bool) -> int:
    for warning in receipt.warnings:
        tell(f"warning: {warning}")
    _tell_rights(receipt)
    if receipt.status == "live":
        tell(f"live after {seconds:.1f} s: {receipt.function} version {receipt.version}")
        if receipt.costs:
            tell(f"costs: {receipt.costs}")
        if receipt.url and not as_json:
            say(receipt.url)
        return Exit.OK
    if dropped.removed and receipt.undeployed:
        tell(f"removed from AWS after {seconds:.1f} s")
        return Exit.OK
    if error := receipt.error:
        tell("\n".join((f"{receipt.status}: {error.code}", error.message, *logged(receipt.function_log), error.hint)))
        tell(f"the full log: auto-lambda logs {words(dropped.app)}")
    else:
        tell(f"{receipt.status}: a newer zip of {dropped.app} has replaced this one")
    return Exit.FAILED


def logged(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the last lines that a failing function logged, below a heading; nothing if there are none."""
    if not lines:
        return ()
    more = len(lines) - _LOGGED
    heading = f"the function logged (the last {_LOGGED} lines of {len(lines)}):" if more > 0 else "the function logged:"
    return (heading, *(f"  {line}" for line in lines[-_LOGGED:]))


def _tell_rights(receipt: Receipt) -> None:
    if receipt.permissions is None:
        return
    changes = receipt.permissions.changes
    for line in changes[:_SHOWN]:
        tell(f"rights: {line}")
    if len(changes) > _SHOWN:
        tell(f"rights: and {len(changes) - _SHOWN} more changes, see the receipt or the log")


def words(app: keys.App) -> str:
    """Return the words that name an app on the command line."""
    return app.name if app.stage == keys.DEFAULT_STAGE else f"{app.name} --stage {app.stage}"
