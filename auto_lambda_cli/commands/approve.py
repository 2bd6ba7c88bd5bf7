"""``auto-lambda approve``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.outcome import words
from auto_lambda_cli.queries.services import Services
from auto_lambda_cli.target import app_named, choose, setting

if TYPE_CHECKING:
    from worker.operations.approve import Waiting


def approve(
    name: Annotated[str, typer.Argument(help="The app's name.", show_default=False)],
    stage: Annotated[str, typer.Option("--stage", "-s", help="The stage it is deployed to.", metavar="STAGE")] = "dev",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Approve the rights of a release that waits for it (`needs-approval`); it is deployed without a new drop.

    Needs the platform team's rights: to read the ledger, and to write below `grants/` in the artifacts bucket.

    Exit codes: 0 approved, 1 no release waits, 2 nothing was done.

    Example: `auto-lambda approve shop --stage prod`
    """
    from auto_lambda.aws.s3 import ObjectMissing
    from auto_lambda_cli.queries.operations import approvals as approving
    from auto_lambda_cli.queries.operations import caller

    app = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    with plain_errors():
        services = Services.of(target.bucket, os.environ)
        by = caller(services)
        approvals = approving(services, setting, by)
        try:
            waiting = approvals.waiting(app)
        except ObjectMissing as error:
            raise leave(Exit.FAILED, f"the release that waits is not stored any more: {error}") from None
        if waiting is None:
            raise leave(Exit.FAILED, f"no release of {app} waits for an approval")
        if as_json:
            say(json.dumps({**asdict(waiting.diff), "digest": waiting.digest, "by": by}))
        else:
            _show(waiting)
        if dry_run:
            return
        _confirm(waiting, by, yes=yes)
        approvals.approve(waiting, by, datetime.now(UTC))
    tell(f"approved; it is deployed now: auto-lambda logs {words(app)} --follow")


def _show(waiting: Waiting) -> None:
    tell(f"{waiting.app}, zip {waiting.upload.object_version}, would change:")
    say("\n".join(waiting.diff.changes) or "nothing: what is live may do the same by now")


def _confirm(waiting: Waiting, by: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise leave(Exit.USAGE, "standard input is not a terminal, so there is no way to confirm: use --yes")
    if not typer.confirm(f"Approve all {len(waiting.diff.has)} rights of this release, as {by}?", err=True):
        raise leave(Exit.USAGE, "nothing was done")
