"""``auto-lambda invoke``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auto_lambda.keys import App
from auto_lambda_cli.commands.apps.common import Name, Stage, asked
from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.options import AsJson, Bucket, Local

if TYPE_CHECKING:
    from auto_lambda.aws.lambda_ import Answer

_SAMPLE = "sample:"
_LARGEST = 6 * 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


def invoke(
    name: Name,
    function: Annotated[
        str | None,
        typer.Option("--function", "-f", metavar="F", help="Which of its functions; by default the one of its URL."),
    ] = None,
    event: Annotated[
        str,
        typer.Option(metavar="FILE|-|sample:KIND", help="The event: a JSON file, standard input, or a sample."),
    ] = "",
    stage: Stage = "dev",
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Invoke a function of an app, its live version, and print what it returns; its log goes to standard error.

    Without `--event` the event is `{}`. Samples: dynamodb, eventbridge, function-url, http-api, kinesis, rest-api, s3,
    schedule, sns, sqs.

    Exit codes: 0 it returned, 1 it failed or there is no such function, 2 it was not invoked.

    For example:

    - `auto-lambda invoke shop --event sample:sqs --function on_order`
    - `echo '{"id": 1}' | auto-lambda invoke shop --event -`
    """
    from auto_lambda_cli.queries.functions import NoSuchFunction, function_alias
    from auto_lambda_cli.queries.functions import invoke as run

    about = asked(name, stage, local=local, bucket=bucket)
    sent = read_event(event, about.app)
    with plain_errors():
        try:
            found = function_alias(about.services, about.app, function)
        except NoSuchFunction as error:
            about.require()
            raise leave(Exit.FAILED, str(error)) from None
        tell(f"{found.name} of {about.app}, {about.target}")
        answer = run(about.services, found, sent)
    show(answer, as_json=as_json)


def show(answer: Answer, *, as_json: bool) -> None:
    """Print what a function answered; exit code 1 if it failed."""
    if as_json:
        fields = {"error": answer.error, "payload": _parsed(answer.payload), "version": answer.version}
        say(json.dumps({**fields, "log": answer.log}))
    else:
        for line in answer.log.splitlines():
            tell(line)
        if answer.error is None:
            say(answer.payload)
        else:
            tell(f"{answer.error}: {answer.message}")
    if answer.error is not None:
        raise typer.Exit(int(Exit.FAILED))


def read_event(given: str, app: App) -> Any:
    """Read the event that ``--event`` names.

    Raises:
        typer.Exit: it is no JSON, too large, or no sample; what is wrong has been printed.
    """
    from auto_lambda_cli.queries.samples import kinds, sample

    if given.startswith(_SAMPLE):
        made = sample(given.removeprefix(_SAMPLE), app)
        if made is None:
            raise leave(Exit.USAGE, f"there is no {given}; the samples are {', '.join(kinds())}")
        return made
    text = _text(given)
    if len(text.encode()) > _LARGEST:
        raise leave(Exit.USAGE, f"the event has {len(text.encode()):,} bytes; Lambda takes {_LARGEST:,}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        source = "standard input" if given == "-" else given
        raise leave(Exit.USAGE, f"{source} is not JSON: {error}") from None


def _text(given: str) -> str:
    if not given:
        return "{}"
    try:
        return sys.stdin.read() if given == "-" else Path(given).read_text()
    except FileNotFoundError:
        told = f"there is no file {given}; --event takes a JSON file, - for standard input, or {_SAMPLE}KIND"
        raise leave(Exit.USAGE, told) from None
    except (OSError, ValueError) as error:
        raise leave(Exit.USAGE, f"{given} cannot be read: {error}") from None


def _parsed(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload
