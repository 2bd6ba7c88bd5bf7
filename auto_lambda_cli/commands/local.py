"""``auto-lambda local up`` and ``auto-lambda demo``."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from auto_lambda.aws.cloudformation import StackFailed
from auto_lambda.daemon.service import stop_on_signals
from auto_lambda.tools import ToolError
from auto_lambda_cli.exits import Exit, interruptible, leave, say, tell
from auto_lambda_cli.local_stack.embedded import EmbeddedAwsError
from auto_lambda_cli.local_stack.fleet.controller import BOOT, FleetOptions
from auto_lambda_cli.local_stack.fleet.rules import NotEmulated
from auto_lambda_cli.local_stack.processes import ChildError
from auto_lambda_cli.local_stack.stack import AppRights, LocalStack, StackEnded
from auto_lambda_cli.running_stacks import announced
from auto_lambda_cli.sources import examples_folder

NOT_UP = (EmbeddedAwsError, ChildError, StackFailed, ToolError, NotEmulated, OSError)


def up(
    port: int | None,
    workers: int,
    folder: Path | None,
    options: FleetOptions | None = None,
    *,
    undeploys: bool = False,
    app_rights: AppRights = "account",
    domain: str = "",
) -> None:
    """Start the stack, say where it is, and run until SIGINT or SIGTERM."""
    with working_folder(folder) as place, told():
        with interruptible():
            stack = LocalStack.start(
                place,
                port=port,
                workers=workers,
                options=options,
                undeploys=undeploys,
                app_rights=app_rights,
                domain=domain,
                console=True,
                say=tell,
            )
        with stop_on_signals() as stop, stack, announced(stack.pipeline):
            if sys.stdout.isatty():
                tell(f"bucket {stack.pipeline.bucket} at {stack.pipeline.endpoint}")
            else:
                say(json.dumps(stack.pipeline.ready_line()))
            tell(f"example apps: {examples_folder()}")
            if stack.pipeline.console:
                tell(f"the console, for your browser: {stack.pipeline.console}")
            tell("ready; now, in another terminal: auto-lambda deploy FOLDER|APP.zip (Ctrl-C here stops everything)")
            stack.watch(stop.requested)
            tell("stopping")


def fleet_options(fleet: bool, workers: int, largest: int | None, boot_seconds: float | None) -> FleetOptions | None:
    """Return the options of a fleet, None without one; refuse options that contradict each other."""
    if fleet and workers != 1:
        raise typer.BadParameter("--workers is for a stack without --fleet, whose policies decide how many there are")
    if not fleet and (largest is not None or boot_seconds is not None):
        raise typer.BadParameter("--max and --boot-seconds are for --fleet")
    return FleetOptions(largest, BOOT if boot_seconds is None else boot_seconds) if fleet else None


def demo(folder: Path | None, *, keep: bool, browser: bool = False) -> int:
    """Run the demo; SIGINT or SIGTERM stops it at any time, with all its processes."""
    from auto_lambda_cli.local_stack.demo import run

    with working_folder(folder) as place, told(), interruptible():
        if run(place, keep=keep, browser=browser):
            raise leave(Exit.FAILED, f"the logs of worker and checker are in {place}")
    return Exit.OK


def ecs_demo(folder: Path | None) -> int:
    """Run the demo of the ECS updater; SIGINT or SIGTERM stops it at any time, with all its processes."""
    from auto_lambda_cli.local_stack.ecs_demo import run

    with working_folder(folder) as place, told(), interruptible():
        if run(place):
            raise leave(Exit.FAILED, f"the logs of worker and checker are in {place}")
    return Exit.OK


def flex_demo(folder: Path | None, rounds: int) -> int:
    """Run the demo of flex; SIGINT or SIGTERM stops it at any time, with all its processes."""
    from auto_lambda_cli.local_stack.flex_demo import run

    with working_folder(folder) as place, told(), interruptible():
        if run(place, rounds):
            raise leave(Exit.FAILED, f"the logs of worker, checker and tasks are in {place}")
    return Exit.OK


@contextmanager
def told() -> Iterator[None]:
    """Print errors that keep a stack from running in plain lines."""
    try:
        yield
    except NOT_UP as error:
        raise leave(Exit.FAILED, f"the local stack did not come up: {error}") from None
    except StackEnded as error:
        raise leave(Exit.FAILED, f"the local stack ended: {error}") from None
    except KeyboardInterrupt:
        raise leave(Exit.INTERRUPTED, "interrupted") from None


@contextmanager
def working_folder(chosen: Path | None) -> Iterator[Path]:
    """Give the chosen folder, or a temporary one, which is kept, for its logs, only if something went wrong."""
    place = chosen.resolve() if chosen else Path(tempfile.mkdtemp(prefix="auto-lambda-"))
    yield place
    if not chosen:
        shutil.rmtree(place, ignore_errors=True)
