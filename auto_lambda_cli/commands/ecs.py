"""``auto-lambda ecs``: what the ECS updater does, for the platform team."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.target import app_named, choose

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)
_SECONDS = 35.0  # API Gateway gives up after 29
_ROW = ("service", "tasks", "runs", "wanted", "why")


@app.callback()
def ecs() -> None:
    """Give the commands a group of their own."""


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
    from auto_lambda import drops
    from auto_lambda.aws.urls import callable_url

    updater = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    with plain_errors():
        _, receipt = drops.latest(target.store(), target.bucket, updater)
        serving = receipt and (receipt.serving or receipt)
        if not (serving and serving.url):
            raise leave(Exit.USAGE, f"{updater} is not live in {target}: see apps/ecs_updater/README.md")
        told = _ask(callable_url(serving.url, target.endpoint).rstrip("/") + "/status")
    if as_json:
        say(json.dumps(told, indent=2))
    else:
        _print(told)
    behind = any(row["behind"] for row in told["services"])
    raise typer.Exit(Exit.FAILED if behind or told["problems"] else Exit.OK)


def _ask(url: str) -> Any:
    """Send a GET request that is signed with this person's credentials, and return the JSON of the answer."""
    import urllib3

    http = urllib3.PoolManager(retries=False, timeout=_SECONDS)
    answer = http.request("GET", url, headers=_signed(url))
    if answer.status != 200:
        raise leave(Exit.USAGE, f"the updater answers {answer.status}: {answer.data.decode(errors='replace')[:300]}")
    return json.loads(answer.data)


def _signed(url: str) -> dict[str, str]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import NoCredentialsError, NoRegionError

    from auto_lambda.aws.session import make_session

    session = make_session()
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    if session.region_name is None:
        raise NoRegionError
    request = AWSRequest("GET", url)
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", session.region_name).add_auth(request)
    return dict(request.headers.items())


def _print(told: Mapping[str, Any]) -> None:
    rows = [_ROW, *(_cells(row) for row in told["services"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_ROW) - 1)]
    if len(rows) > 1:
        for row in rows:
            say("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
    else:
        tell("no service follows an image yet: tag one with ecs-updater:follow")
    for problem in told["problems"]:
        tell(problem)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    tasks = f"{row['running']}/{row['desired']}"
    changed = [image for image in row["wanted"] if image not in row["images"]]
    why = "; ".join(one for one in (row["why"], row["scaling"]) if one)
    return row["service"], tasks, " ".join(row["images"]), " ".join(changed) or "the same", why
