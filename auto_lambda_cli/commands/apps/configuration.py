"""``auto-lambda config``."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Literal

import typer

from auto_lambda_cli.commands.apps.common import ChosenApp, Name, Stage, asked
from auto_lambda_cli.exits import Exit, counted, leave, plain_errors, say, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.outcome import words


def config(
    name: Name,
    action: Annotated[Literal["list", "set", "unset"], typer.Argument(help="What to do.")] = "list",
    items: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE|KEY]...", help="What to set, or the keys to unset.", show_default=False),
    ] = None,
    secret: Annotated[bool, typer.Option("--secret", help="Encrypt the values (set).")] = False,
    stage: Stage = "dev",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is live or has failed.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.", min=1)] = 900,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """List or change the configuration of an app in one stage: environment variables that are not in its zip.

    They are in Parameter Store, and take the place of variables in the zip with the same name. The functions load them
    when they start; a change deploys what is live again, unchanged but for them. The value of `KEY` without `=` is
    asked for, or read from standard input, so that a secret stands in no shell's history.

    Exit codes: 0 done, and live again; 1 failed (what was live still is); 2 nothing was done; 3 not live in time.

    For example:

    - `auto-lambda config shop set GREETING=hello TABLE=orders --stage prod`
    - `auto-lambda config shop set API_KEY --secret --stage prod`
    - `auto-lambda config shop unset GREETING`
    """
    from auto_lambda_cli.queries.configuration import BadConfiguration, check

    given = items or []
    if (action == "list") == bool(given):
        told = "list takes no keys" if given else f"{action} what? For example: KEY=VALUE"
        raise leave(Exit.USAGE, told)
    if secret and action != "set":
        raise leave(Exit.USAGE, "--secret is for set")
    if action == "unset" and any("=" in one for one in given):
        raise leave(Exit.USAGE, "unset takes keys, without values")
    about = asked(name, stage, local=local, bucket=bucket)
    if action == "list":
        _list(about, as_json=as_json)
        return
    values = dict(map(_value, given)) if action == "set" else {}
    try:
        check(values)
    except BadConfiguration as error:
        raise leave(Exit.USAGE, str(error)) from None
    unset = given if action == "unset" else []
    _change(about, values, unset, secret=secret, wait=wait, timeout=timeout, as_json=as_json)


def _list(about: ChosenApp, *, as_json: bool) -> None:
    from auto_lambda_cli.queries.configuration import listed

    with plain_errors():
        found = listed(about.services, about.app)
    if as_json:
        say(json.dumps([{"key": one.name, "value": one.value, "secret": one.secret} for one in found], indent=2))
    elif not found:
        tell(f"{about.app} has no configuration, {about.target}")
    else:
        tell(f"{about.app}, {about.target}")
        for one in found:
            say(f"{one.name}={'(secret)' if one.value is None else one.value}")


def _change(
    about: ChosenApp, values: dict[str, str], unset: list[str], *, secret: bool, wait: bool, timeout: float,
    as_json: bool,
) -> None:  # fmt: skip
    from auto_lambda.aws.s3 import ObjectMissing
    from auto_lambda_cli.outcome import Following, ended
    from auto_lambda_cli.queries.configuration import BadConfiguration, DeploymentUnderWay, change

    began = time.monotonic()
    with plain_errors():
        try:
            changed = change(about.services, about.app, values, unset, secret=secret)
        except (BadConfiguration, DeploymentUnderWay) as error:
            raise leave(Exit.USAGE, str(error)) from None
        except ObjectMissing:
            told = "the values are changed, but the zip of what is live is not in the bucket any more: they count from"
            raise leave(Exit.FAILED, f"{told} the next drop on") from None
    tell(f"{about.app}: {counted(len(values) + len(unset), 'variable')} changed, {about.target}")
    if changed.drop is None:
        about.suggest()
        tell(f"nothing is live, so this counts from the next drop on: auto-lambda status {words(about.app)}")
        return
    raise typer.Exit(ended(about.services.store, changed.drop, began, Following(wait, timeout, as_json)))


def _value(given: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if equals:
        return key, value
    if sys.stdin.isatty():
        return key, str(typer.prompt(key, hide_input=True, err=True))
    return key, sys.stdin.read().removesuffix("\n")
