"""``auto-lambda traffic``: what a person does while the traffic of an app shifts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from auto_lambda_cli.commands.apps.common import Name, Stage
from auto_lambda_cli.exits import Exit, leave, plain_errors, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.target import app_named, choose

if TYPE_CHECKING:
    from auto_lambda.aws.s3 import ObjectStore
    from auto_lambda.drops import Drop
    from auto_lambda.keys import App
    from auto_lambda.receipts import Receipt

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until that has ended.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.", min=1)]


@app.command("promote-now")
def promote_now(
    name: Name,
    stage: Stage = "dev",
    wait: Wait = True,
    timeout: Timeout = 900,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Give the new release all traffic now, without waiting for the rest of its shift.

    Its zip becomes the newest version in the bucket once more, with the order to take all traffic as soon as it has
    answered; metrics and alarms are not asked.

    Exit codes: 0 live, 1 failed (what was live still is), 2 no traffic is shifting or a newer zip ends that,
    3 not live in time.

    Example: `auto-lambda traffic promote-now shop --stage prod`
    """
    from auto_lambda import drops
    from auto_lambda_cli.outcome import Following

    def order(store: ObjectStore, where: str, about: App, receipt: Receipt) -> Drop:
        tell(f"{about}: release {receipt.object_version} gets all traffic now")
        return drops.at_once(store, where, about, receipt.object_version or "")

    following = Following(wait, timeout, as_json)
    raise typer.Exit(_ordered(name, stage, order, following=following, local=local, bucket=bucket))


@app.command()
def abort(
    name: Name,
    stage: Stage = "dev",
    wait: Wait = True,
    timeout: Timeout = 900,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Give all traffic back to what is live, and the new release none.

    The zip of what is live becomes the newest version in the bucket, so the bucket still says what should be live.

    Exit codes: 0 what was live has all traffic, 1 failed, 2 no traffic is shifting or a newer zip ends that,
    3 not in time.

    Example: `auto-lambda traffic abort shop --stage prod`
    """
    from auto_lambda import drops
    from auto_lambda_cli.outcome import Following

    def order(store: ObjectStore, where: str, about: App, receipt: Receipt) -> Drop:
        live = receipt.serving.object_version if receipt.serving else None
        tell(f"{about}: release {receipt.object_version} gets no traffic any more, back to {live}")
        return drops.again(store, where, about, live or "")

    following = Following(wait, timeout, as_json)
    raise typer.Exit(_ordered(name, stage, order, following=following, local=local, bucket=bucket))


Order = Callable[["ObjectStore", str, "App", "Receipt"], "Drop"]


def _ordered(name: str, stage: str, order: Order, *, following: object, local: bool, bucket: str | None) -> int:
    from auto_lambda import drops
    from auto_lambda.aws.s3 import ObjectMissing
    from auto_lambda_cli.outcome import Following, ended

    about, target = app_named(name, stage), choose(local=local, bucket=bucket)
    began = time.monotonic()
    assert isinstance(following, Following)  # noqa: S101 - imported late, since it makes the command line slow
    with plain_errors():
        store = target.store()
        _, receipt = drops.latest(store, target.bucket, about)
        if receipt is None or not receipt.shifts:
            raise leave(Exit.USAGE, f"no traffic of {about} is shifting")
        if waiting := drops.waiting(store, target.bucket, about):  # the order would take its place
            raise leave(Exit.USAGE, _ends_the_shift(about, waiting, receipt))
        try:
            dropped = order(store, target.bucket, about, receipt)
        except ObjectMissing as error:
            raise leave(Exit.USAGE, f"its zip is not there any more: {error}") from None
    return ended(store, dropped, began, following)


def _ends_the_shift(about: App, waiting: str, receipt: Receipt) -> str:
    from auto_lambda_cli.outcome import words

    live = receipt.serving.object_version if receipt.serving else None
    keep = f"\nTo keep what is live instead of it: auto-lambda rollback {words(about)} --to {live}" if live else ""
    return f"{waiting} was dropped again and waits: it ends the shift as soon as a worker begins with it.{keep}"
