"""``auto-lambda ecs``: what the ECS updater does, for the platform team."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.extras import needs
from auto_lambda_cli.options import AsJson, Bucket, Local, WorkFolder
from auto_lambda_cli.platform_apps import url_of
from auto_lambda_cli.target import app_named, choose
from auto_lambda_cli.updater import NoStatus, ask_status, status_lines

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command()
def status(
    name: Annotated[
        str, typer.Option("--name", "-n", help="The name that the updater is deployed as.")
    ] = "ecs-updater",
    stage: Annotated[str, typer.Option("--stage", "-s", help="Its stage.", metavar="STAGE")] = "platform",
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Show what each service that follows an image runs, what it should run, and why it does not.

    You need the right to call the updater's API (`execute-api:Invoke`). Exit code 1 if a service is behind or a cluster
    cannot be read.

    Example: `auto-lambda ecs status`
    """
    from auto_lambda.aws.session import make_session

    updater = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    with plain_errors():
        url = url_of(updater, target)
        if url is None:
            raise leave(Exit.USAGE, f"{updater} is not live in {target}: see apps/ecs_updater/README.md")
        try:
            told = ask_status(url, make_session(), target.endpoint)
        except NoStatus as error:
            raise leave(Exit.USAGE, str(error)) from None
    lines = [json.dumps(told, indent=2)] if as_json else status_lines(told)
    for line in lines:
        say(line)
    if not lines:
        tell("no service follows an image yet: tag one with ecs-updater:follow")
    for problem in told["problems"]:
        tell(problem)
    behind = any(row["behind"] for row in told["services"])
    raise typer.Exit(Exit.FAILED if behind or told["problems"] else Exit.OK)


@app.command()
@needs("local")
def demo(
    folder: WorkFolder = None,
) -> None:
    """Start a local stack with a cluster, drop the updater, push an image, and raise and lower a service by an alarm.

    Exit code 0 if everything came as announced, else 1.
    """
    from auto_lambda_cli.commands.local import ecs_demo

    raise typer.Exit(ecs_demo(folder))
