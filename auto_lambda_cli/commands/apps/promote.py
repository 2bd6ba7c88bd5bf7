"""``auto-lambda promote``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from auto_lambda_cli.commands.apps.common import Name, asked
from auto_lambda_cli.commands.apps.completion import stages
from auto_lambda_cli.exits import Exit, leave, plain_errors, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.outcome import words


def promote(
    name: Name,
    from_: Annotated[
        str,
        typer.Option("--from", metavar="STAGE", help="The stage that it is in.", autocompletion=stages),
    ] = "dev",
    to: Annotated[
        str,
        typer.Option("--to", metavar="STAGE", help="The stage that it is to be in.", autocompletion=stages),
    ] = "prod",
    release: Annotated[
        str | None,
        typer.Option(metavar="RELEASE", help="Which of its releases; by default the live one.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is live or has failed.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.", min=1)] = 900,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Deploy what is live in one stage to another: the same zip with the same packages, and the other stage's settings.

    The zip is copied within the bucket. Nothing is resolved again, so what was tested is what goes live; settings,
    configuration, grants and approvals are those of the stage that it is promoted to.

    Exit codes: 0 live, 1 failed (what was live still is), 2 nothing was done, 3 not live in time.

    Example: `auto-lambda promote shop --from dev --to prod`
    """
    from auto_lambda.aws.s3 import ObjectMissing
    from auto_lambda_cli.outcome import Following, ended
    from auto_lambda_cli.queries.promotion import NoSuchApp, NothingToPromote, plan_promotion
    from auto_lambda_cli.queries.promotion import promote as run
    from auto_lambda_cli.queries.releases import NoSuchRelease
    from auto_lambda_cli.target import app_named

    if from_ == to:
        raise leave(Exit.USAGE, f"--from and --to are both {to}: there is nothing to promote")
    about, target_app = asked(name, from_, local=local, bucket=bucket), app_named(name, to)
    began = time.monotonic()
    with plain_errors():
        try:
            planned = plan_promotion(about.services, about.app, target_app.stage, release)
            version = planned.source.version
            tell(f"{about.app} release {version} -> {target_app}, {about.target}")
            if dry_run:
                return
            dropped = run(about.services, planned)
        except NoSuchApp:
            raise about.missing() from None
        except NothingToPromote as error:
            raise leave(Exit.USAGE, f"{error}: name a release, see: auto-lambda releases {words(about.app)}") from None
        except NoSuchRelease as error:
            raise leave(Exit.USAGE, str(error)) from None
        except ObjectMissing:
            raise leave(Exit.USAGE, f"the zip of release {version} is not in the bucket any more") from None
    raise typer.Exit(ended(about.services.store, dropped, began, Following(wait, timeout, as_json)))
