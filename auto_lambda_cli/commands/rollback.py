"""``auto-lambda rollback``: make an earlier zip the newest one again, and its release live."""

from __future__ import annotations

import time

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectMissing
from auto_lambda.receipts import Receipt
from auto_lambda_cli.commands.apps.common import asked
from auto_lambda_cli.exits import Exit, leave, plain_errors, tell
from auto_lambda_cli.outcome import Following, ended, words
from auto_lambda_cli.queries.releases import NoSuchRelease
from auto_lambda_cli.queries.rollback import RollbackUnclear, named, predecessor, release_named


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
    about = asked(name, stage, local=local, bucket=bucket)
    app, target, services, store = about.app, about.target, about.services, about.services.store
    began = time.monotonic()
    with plain_errors():
        _, receipt = drops.latest(store, target.bucket, app)
        if receipt is None:
            about.suggest()
        try:
            version = (
                before(app, receipt, drops.waiting(store, target.bucket, app))
                if to is None  # not if it is empty, as a variable of a script may be
                else release_named(services, app, to)
            )
            drops.key_of(store, target.bucket, app, version)
            tell(f"{app}: from {named(receipt.live if receipt else None)} back to zip {version} -> {target}")
            if dry_run:
                return Exit.OK
            dropped = drops.again(store, target.bucket, app, version)
        except NoSuchRelease as error:
            raise leave(Exit.USAGE, f"{error}. {_see_history(app)}") from None
        except ObjectMissing:
            raise leave(Exit.USAGE, f"{app} has no zip {version}, or no longer. {_see_history(app)}") from None
    return ended(store, dropped, began, following)


def before(app: keys.App, receipt: Receipt | None, waiting: str | None) -> str:
    """Return the version of the zip that was live before the live one.

    Raises:
        typer.Exit: as `RollbackUnclear`; what to do has been printed.
    """
    try:
        return predecessor(app, receipt, waiting)
    except RollbackUnclear as unclear:
        raise leave(Exit.USAGE, f"{unclear}{_what_to_do(app, unclear)}") from None


def _what_to_do(app: keys.App, unclear: RollbackUnclear) -> str:
    if not unclear.live:
        return f"\n{_see_history(app)}"
    further = f"To go back further: --to {unclear.earlier}" if unclear.earlier else (
        "Nothing is known to have been live before it."
    )  # fmt: skip
    if unclear.keep:
        return f"\nTo keep what is live: --to {unclear.keep}. {further}"
    return f"\n{further}" if unclear.earlier else f" {further}\n{_see_history(app)}"


def _see_history(app: keys.App) -> str:
    return f"What was live, for --to: auto-lambda releases {words(app)}"
