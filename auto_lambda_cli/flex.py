"""Flex seen from outside: what the controller says of apps, and one parameter of a stack that a person may set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auto_lambda_cli.aligned import aligned
from auto_lambda_cli.platform_apps import NoStatus, ask

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

    from auto_lambda.aws.cloudformation import Stack, Stacks
    from auto_lambda.keys import App

Row = Mapping[str, Any]
ENDS = {"up": "fargate", "down": "lambda"}
"""Where an app is once a mode has done its work; other modes have no end."""
_HEAD = ("app", "phase", "on Fargate", "tasks", "mode", "why")


class NotFlexing(Exception):
    """An app has no flex stack."""


class StackBusy(Exception):
    """Another operation on the stack is under way."""


def set_parameter(client: CloudFormationClient, stack: Stack, name: str, value: str) -> None:
    """Begin an update of one parameter: the template, the other parameters, the tags and the role stay.

    Raises:
        StackBusy: another operation was first.
    """
    from botocore.exceptions import ClientError

    parameters: list[ParameterTypeDef] = [
        {"ParameterKey": one, "UsePreviousValue": True} for one in stack.parameters if one != name
    ]
    parameters.append({"ParameterKey": name, "ParameterValue": value})
    try:
        client.update_stack(
            StackName=stack.id,
            UsePreviousTemplate=True,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
    except ClientError as error:
        if "_IN_PROGRESS" in str(error):
            raise StackBusy(str(error)) from None
        raise


def ask_rows(url: str, session: boto3.Session, endpoint: str | None = None) -> list[Row]:
    """Ask the controller for all apps; ``endpoint`` is that of an emulator.

    Raises:
        NoStatus: it answers something else, or nothing.
        NoCredentialsError, NoRegionError: the request cannot be signed.
    """
    rows: list[Row] = ask(url, "stack-status", "flex controller", session, endpoint)["apps"]
    return rows


def row_of(rows: Sequence[Row], app: App) -> Row | None:
    """Return what is said of one app, None if nothing is."""
    return next((row for row in rows if (row["app"], row["stage"]) == (app.name, app.stage)), None)


def status_lines(rows: Sequence[Row]) -> list[str]:
    """Return a heading and a line for each app, aligned; nothing if there is no app."""
    return aligned(_HEAD, [*map(_cells, rows)])


def _cells(row: Row) -> tuple[str, ...]:
    weights, tasks = row.get("weights"), row.get("tasks")
    share = f"{weights['fargate']} %" if weights else "-"
    counts = f"{'?' if tasks['healthy'] is None else tasks['healthy']}/{tasks['desired']}" if tasks else "-"
    return f"{row['stage']}/{row['app']}", str(row["phase"]), share, counts, str(row.get("mode", "-")), reason(row)


def reason(row: Row) -> str:
    """Return why an app is where it is, and when it moves next."""
    after = f" (not before {row['next']})" if row["next"] else ""
    return f"{'STUCK: ' if row['stuck'] else ''}{row['why']}{after}"


def progress_line(row: Row) -> str:
    """Return a line about an app that is being followed."""
    return f"{row['phase']}, {_cells(row)[2]} of the traffic on Fargate: {reason(row)}"


def _at_work(row: Row) -> bool:
    """Tell whether CloudFormation is still at it: the phase is the new one from the beginning of an operation."""
    return str(row.get("status", "")).endswith("_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Steering:
    """Sets the mode of an app and watches what comes of it.

    Attributes:
        stacks: CloudFormation.
        begin: begins an update of one parameter.
        rows: asks the controller.
        sleep: waits so many seconds.
        clock: monotonic seconds.
    """

    stacks: Stacks
    begin: Callable[[Stack, str, str], None]
    rows: Callable[[], Sequence[Row]]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def set(self, app: App, mode: str, deadline: float) -> bool:
        """Set the mode, after the operation that may be under way, and tell whether that changed anything.

        Raises:
            NotFlexing: the app has no flex stack.
            TimeoutError: an operation is still under way at the deadline.
        """
        while True:
            stack = self.stacks.describe(app.flex_stack)
            if stack is None or "Mode" not in stack.parameters:
                raise NotFlexing(str(app))
            if stack.parameters["Mode"] == mode:
                return False
            if not stack.status.endswith("_IN_PROGRESS"):
                with suppress(StackBusy):
                    self.begin(stack, "Mode", mode)
                    return True
            if self.clock() >= deadline:
                raise TimeoutError(f"{app.flex_stack} is still {stack.status}")
            self.sleep(_PAUSE)

    def follow(self, app: App, mode: str, deadline: float) -> Iterator[Row]:
        """Yield what the controller says of the app whenever that changes, until the mode has done its work.

        Raises:
            TimeoutError: it has not at the deadline.
        """
        before: object = None
        while True:
            row = row_of(self._patient_rows(deadline), app)
            if row is not None and row.get("mode") == mode:
                told = (row["phase"], row.get("weights"), row["why"], row["stuck"])
                if told != before:
                    before = told
                    yield row
                if row["stuck"] or (row["phase"] == ENDS[mode] and not _at_work(row)):
                    return
            if self.clock() >= deadline:
                raise TimeoutError(f"{app} is not on {ENDS[mode]} yet")
            self.sleep(_PAUSE)

    def _patient_rows(self, deadline: float) -> Sequence[Row]:
        """Ask for the rows, and again if the controller cannot tell just now; whoever follows has time."""
        for _ in range(_TRIES - 1):
            try:
                return self.rows()
            except NoStatus as error:
                if not error.passing or self.clock() >= deadline:
                    raise
            self.sleep(_PAUSE)
        return self.rows()


_TRIES = 5
_PAUSE = 3.0
