"""``auto-lambda run``."""

from __future__ import annotations

from typing import Annotated

import typer

from auto_lambda_cli.commands.apps.common import Name, Stage, asked
from auto_lambda_cli.commands.apps.invoke import show
from auto_lambda_cli.exits import Exit, leave, plain_errors, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.outcome import words


def run(
    name: Name,
    command: Annotated[
        list[str],
        typer.Argument(metavar="-- COMMAND...", help="The command, with its arguments.", show_default=False),
    ],
    call: Annotated[
        bool, typer.Option("--call", help="COMMAND is a function of the app, such as tasks.clean: call it.")
    ] = False,
    python: Annotated[bool, typer.Option("--python", help="COMMAND is Python code: run it.")] = False,
    stage: Stage = "dev",
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Run a command in a zappa app: Django's `manage.py` commands, a function of the app, or Python code.

    It runs in the live version of the function, with its settings and rights, for 15 minutes at most; its output is the
    function's log. Whoever may invoke the function may do this: `lambda:InvokeFunction`.

    Exit codes: 0 it ended, 1 it failed, 2 it was not run.

    For example:

    - `auto-lambda run shop --stage prod -- migrate --noinput`
    - `auto-lambda run shop --call -- tasks.clean`
    """
    from auto_lambda_cli.queries.functions import NoSuchFunction, function_alias, invoke
    from auto_lambda_cli.queries.state import state

    if call and python:
        raise leave(Exit.USAGE, "--call and --python: use only one of them")
    if not python and any(" " in word for word in command):
        raise leave(Exit.USAGE, "zappa splits a command at its spaces: no argument can have one")
    about = asked(name, stage, local=local, bucket=bucket)
    with plain_errors():
        seen = state(about.services, about.app)
        if not seen.exists:
            raise about.missing()
        if seen.live and seen.live.framework not in ("zappa", None):
            told = f"{about.app} is a {seen.live.framework} app, and only zappa's functions take commands"
            raise leave(Exit.USAGE, f"{told}; to call one: auto-lambda invoke {words(about.app)} --event FILE")
        try:
            function = function_alias(about.services, about.app, None)
        except NoSuchFunction as error:
            raise leave(Exit.FAILED, str(error)) from None
        tell(f"{about.app}, {about.target}: {' '.join(command)}")
        answer = invoke(about.services, function, event(command, call=call, python=python))
    show(answer, as_json=as_json)


def event(command: list[str], *, call: bool, python: bool) -> dict[str, str]:
    """Return the event by which zappa's handler runs a command."""
    if call:
        return {"command": command[0]}
    if python:
        return {"raw_command": " ".join(command)}
    return {"manage": " ".join(command)}
