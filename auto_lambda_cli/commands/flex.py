"""``auto-lambda flex``: where apps are between Lambda and Fargate, and moving one by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.extras import needs
from auto_lambda_cli.flex import (
    ENDS,
    NotFlexing,
    Row,
    Steering,
    ask_rows,
    progress_line,
    reason,
    row_of,
    set_parameter,
    status_lines,
)
from auto_lambda_cli.options import AsJson, Bucket, Local, WorkFolder
from auto_lambda_cli.platform_apps import NoStatus, url_of
from auto_lambda_cli.target import Target, app_named, choose

if TYPE_CHECKING:
    from auto_lambda.keys import App

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)
CONTROLLER = "flex-controller"
_INSTALL = "install it as apps/flex_controller/README.md says"
_SECTION = "add a section [flex] to its auto-lambda.toml and drop it again; docs/reference/flex.md"
Name = Annotated[str, typer.Argument(help="The app's name.", show_default=False)]
AnyName = Annotated[str | None, typer.Argument(help="The app's name; all apps by default.", show_default=False)]
Stage = Annotated[str, typer.Option("--stage", "-s", help="The stage it is deployed to.", metavar="STAGE")]
Controller = Annotated[
    str, typer.Option("--controller", help="The name that the controller is deployed as, in the stage platform.")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is there.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.", min=1)]


@app.command()
def status(
    name: AnyName = None,
    stage: Stage = "dev",
    controller: Controller = CONTROLLER,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Show where each app is, how much of its traffic Fargate answers, and what it waits for.

    You need the right to call the controller's API (`execute-api:Invoke`). Exit code 1 if an app is stuck.

    Example: `auto-lambda flex status shop`
    """
    chosen = app_named(name, stage) if name else None
    target = choose(local=local, bucket=bucket)
    with plain_errors(), _told():
        rows = _asking(target, controller)()
        if chosen is not None:
            row = row_of(rows, chosen)
            if row is None:
                raise NotFlexing(str(chosen))
            rows = [row]
    for line in [json.dumps({"apps": rows}, indent=2)] if as_json else status_lines(rows):
        say(line)
    if not rows and not as_json:
        tell("no app flexes yet: a section [flex] in its auto-lambda.toml makes it; docs/reference/flex.md")
    raise typer.Exit(Exit.FAILED if any(row["stuck"] for row in rows) else Exit.OK)


@app.command()
def up(
    name: Name,
    stage: Stage = "dev",
    wait: Wait = True,
    timeout: Timeout = 3600,
    controller: Controller = CONTROLLER,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Move an app to Fargate whatever its demand is, and keep it there until `auto-lambda flex auto`.

    Ctrl-C ends the waiting only; the controller goes on. Exit code 0 once it is there, 1 if it is stuck.

    Example: `auto-lambda flex up shop`
    """
    target = choose(local=local, bucket=bucket)
    _steer("up", app_named(name, stage), timeout if wait else None, controller, as_json, target)


@app.command()
def down(
    name: Name,
    stage: Stage = "dev",
    wait: Wait = True,
    timeout: Timeout = 3600,
    controller: Controller = CONTROLLER,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Move an app back to Lambda whatever its demand is, and keep it there until `auto-lambda flex auto`.

    Ctrl-C ends the waiting only; the controller goes on. Exit code 0 once it is there, 1 if it is stuck.

    Example: `auto-lambda flex down shop`
    """
    target = choose(local=local, bucket=bucket)
    _steer("down", app_named(name, stage), timeout if wait else None, controller, as_json, target)


@app.command()
def pause(
    name: Name,
    stage: Stage = "dev",
    controller: Controller = CONTROLLER,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Leave an app wherever it is now, until `auto-lambda flex auto`.

    It stays there even if its tasks are not healthy. A transition that has begun ends.

    Example: `auto-lambda flex pause shop`
    """
    _steer("pause", app_named(name, stage), None, controller, as_json, choose(local=local, bucket=bucket))


@app.command()
def auto(
    name: Name,
    stage: Stage = "dev",
    controller: Controller = CONTROLLER,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Let an app's demand decide again.

    Example: `auto-lambda flex auto shop`
    """
    _steer("auto", app_named(name, stage), None, controller, as_json, choose(local=local, bucket=bucket))


def _steer(mode: str, chosen: App, timeout: float | None, controller: str, as_json: bool, target: Target) -> None:
    """Set the mode of an app and follow it, for so many seconds at most; None does not follow."""
    with plain_errors(), _told():
        from auto_lambda.aws.cloudformation import Stacks
        from auto_lambda.aws.session import client, make_session

        cloudformation = client(make_session(), "cloudformation")
        begin = partial(set_parameter, cloudformation)
        steering = Steering(Stacks(cloudformation), begin, _asking(target, controller))
        deadline = time.monotonic() + (timeout or _SECONDS_TO_SET)
        try:
            changed = steering.set(chosen, mode, deadline)
            tell(f"{chosen}: {mode}" if changed else f"{chosen}: {mode} already")
            row = _followed(steering, chosen, mode, deadline, as_json) if timeout else None
        except TimeoutError as error:
            raise leave(Exit.TIMED_OUT, f"{error}; {_later(chosen)}") from None
        except KeyboardInterrupt:
            raise leave(Exit.INTERRUPTED, f"no longer waiting; the controller goes on: {_later(chosen)}") from None
    if as_json:
        say(json.dumps(row or {"app": chosen.name, "stage": chosen.stage, "mode": mode, "changed": changed}, indent=2))
    if row and row["phase"] != ENDS[mode]:
        raise leave(Exit.FAILED, f"{chosen}: {reason(row)}")


@app.command()
@needs("local")
def demo(
    folder: WorkFolder = None,
    rounds: Annotated[int, typer.Option(help="How often demand rises and falls.", min=1, max=20)] = 2,
) -> None:
    """Start a local stack, and watch an app move to Fargate and back while clients ask it all the time.

    Exit code 0 if it moved up and down and no request failed, else 1.
    """
    from auto_lambda_cli.commands.local import flex_demo

    raise typer.Exit(flex_demo(folder, rounds))


def _followed(steering: Steering, chosen: App, mode: str, deadline: float, as_json: bool) -> Row:
    """Tell each change, on stderr if a program reads stdout, and return the last one."""
    last: Row = {}
    for last in steering.follow(chosen, mode, deadline):
        (tell if as_json else say)(progress_line(last))
    return last


def _asking(target: Target, controller: str) -> Callable[[], list[Row]]:
    from auto_lambda.aws.session import make_session

    deployed = app_named(controller, "platform")
    url = url_of(deployed, target)
    if url is None:
        raise leave(Exit.USAGE, f"{deployed} is not live in {target}, so no app can move: {_INSTALL}")
    session = make_session()
    return lambda: ask_rows(url, session, target.endpoint)


@contextmanager
def _told() -> Iterator[None]:
    """End the command with what an app or the controller lacks."""
    try:
        yield
    except NoStatus as error:
        raise leave(Exit.USAGE, str(error)) from None
    except NotFlexing as error:
        raise leave(Exit.USAGE, f"{error} does not flex: {_SECTION}") from None


def _later(chosen: App) -> str:
    return f"auto-lambda flex status {chosen.name} --stage {chosen.stage}"


_SECONDS_TO_SET = 600.0
"""For how long a mode that is not followed waits for an operation of CloudFormation to end."""
